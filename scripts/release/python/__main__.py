"""`python -m svc_super`: replaces this process by the `svc-super` of the same environment."""

import os
import sys
import sysconfig


def find_svc_super() -> str:
    """Return the path of the native program. Raise FileNotFoundError if it is in none of the usual folders."""
    package = os.path.dirname(os.path.abspath(__file__))
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme=f"{os.name}_user"),
        # `pip install --target FOLDER` makes FOLDER/bin.
        os.path.join(os.path.dirname(package), "bin"),
    ]
    for folder in folders:
        path = os.path.join(folder, "svc-super")
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"there is no svc-super in {', '.join(folders)}: install the package again")


if __name__ == "__main__":
    program = find_svc_super()
    os.execv(program, [program, *sys.argv[1:]])
