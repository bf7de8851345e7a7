# Reads configurations with supervisord's own loader. Each line of standard input is a JSON string with the text of one; each
# line of output is what the loader makes of it, or its error. Starts nothing.
import json
import os
import shlex
import sys
import tempfile
import warnings

warnings.simplefilter('ignore')
from supervisor.options import ServerOptions  # noqa: E402


def read(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'supervisord.conf')
        with open(path, 'w') as file:
            file.write(text)
        options = ServerOptions()
        options.here = folder
        options.environ_expansions = {'ENV_' + key: value for key, value in os.environ.items()}
        section = options.read_config(path)
        return [
            {
                'name': one.name,
                'argv': shlex.split(one.command),
                'env': one.environment,
                'directory': one.directory,
                'umask': one.umask,
                'autostart': one.autostart,
                'autorestart': getattr(one.autorestart, '__name__', one.autorestart),
                'retries': one.startretries,
                'exitcodes': one.exitcodes,
                'stopsignal': int(one.stopsignal),
                'stopwaitsecs': one.stopwaitsecs,
                'stopasgroup': one.stopasgroup,
            }
            for group in section.process_group_configs
            for one in group.process_configs
        ]


for line in sys.stdin:
    try:
        result = {'ok': True, 'processes': read(json.loads(line))}
    except Exception as error:
        result = {'ok': False, 'error': str(error)}
    print(json.dumps(result), flush=True)
