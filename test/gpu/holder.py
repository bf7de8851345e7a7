"""What `npm run test:gpu` has svc-super run: a program with a GPU, like an engine behind an API server.

  holder.py serve MIB   says how much memory was in use when it started, has a child in a session of its own take
                        MIB of it, says so, and waits. Killed, it leaves the child behind with the memory.
  holder.py take MIB    the child
  holder.py count       says how many devices CUDA shows, and ends
  holder.py drain PORT FOLDER
                        answers /metrics like vLLM with a request in flight, until the file `idle` is in FOLDER;
                        ends at SIGTERM, saying whether it was idle

Memory is taken through PyTorch where that can be imported, else through libcuda itself. With STAND_IN=FOLDER nothing is
taken at all, and a file in FOLDER says what would have been: so the test can be tried without a GPU.
"""
import ctypes
import http.server
import os
import signal
import subprocess
import sys
import threading

STAND_IN = os.environ.get("STAND_IN")
MIB = 1024 * 1024


def say(text):
    print(text, flush=True)


def used():
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    device = os.environ["CUDA_VISIBLE_DEVICES"].split(",")[0]
    return int(subprocess.run(query + ["-i", device], capture_output=True, text=True, check=True).stdout.split()[0])


class Driver:
    """As much of libcuda as it takes to hold memory."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)

    def call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            raise SystemExit(f"{name} failed with {code}")

    def count(self):
        number = ctypes.c_int()
        self.call("cuDeviceGetCount", ctypes.byref(number))
        return number.value

    def take(self, mib):
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
        pointer = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(mib * MIB))
        # Until it is written to, some drivers only promise it.
        self.call("cuMemsetD8_v2", pointer, ctypes.c_ubyte(1), ctypes.c_size_t(mib * MIB))
        self.call("cuCtxSynchronize")


def torch():
    try:
        import torch as module
    except ImportError:
        return None
    return module if module.version.cuda or module.version.hip else None


def count():
    if STAND_IN:
        return len([one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one])
    module = torch()
    if module is not None:
        return module.cuda.device_count()
    try:
        return Driver().count()
    except SystemExit as error:
        # CUDA_ERROR_NO_DEVICE: that is its way to say none.
        if str(error) == "cuInit failed with 100":
            return 0
        raise


def take(mib):
    if STAND_IN:
        with open(os.path.join(STAND_IN, str(os.getpid())), "w") as file:
            file.write(str(mib))
        take.kept = open("/dev/nvidia0")
        return "nothing"
    module = torch()
    if module is None:
        Driver().take(mib)
        return "libcuda"
    take.kept = module.ones(mib * MIB, dtype=module.uint8, device="cuda")
    module.cuda.synchronize()
    return "torch"


def serve(mib):
    say(f"used at start: {used()}")
    child = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "take", str(mib)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    how = child.stdout.readline().strip()
    if how == "":
        raise SystemExit("the child could not take the memory")
    say(f"holding {mib} MiB by {how} in pid {child.pid}: in use {used()}")
    signal.pause()


class Metrics(http.server.BaseHTTPRequestHandler):
    folder = ""

    def do_GET(self):
        running = 0 if os.path.exists(os.path.join(self.folder, "idle")) else 1
        body = f'vllm:num_requests_running{{engine="0"}} {running}.0\n'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def drain(port, folder):
    Metrics.folder = folder
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    say("serving")
    ended.wait()
    say("asked to stop while " + ("idle" if os.path.exists(os.path.join(folder, "idle")) else "busy"))


def main():
    command, *rest = sys.argv[1:]
    if command == "serve":
        serve(int(rest[0]))
    elif command == "take":
        say(take(int(rest[0])))
        signal.pause()
    elif command == "count":
        say(f"devices: {count()}, told {os.environ.get('CUDA_VISIBLE_DEVICES')!r}")
    elif command == "drain":
        drain(int(rest[0]), rest[1])


main()
