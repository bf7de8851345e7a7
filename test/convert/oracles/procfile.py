# Reads Procfiles with honcho's own code. Each line of standard input is a JSON string with the text of one; each line of output
# is the names and commands in it, or the error. Starts nothing.
import json
import sys

from honcho.environ import parse_procfile

for line in sys.stdin:
    try:
        result = {'ok': True, 'processes': dict(parse_procfile(json.loads(line)).processes)}
    except Exception as error:
        result = {'ok': False, 'error': str(error)}
    print(json.dumps(result), flush=True)
