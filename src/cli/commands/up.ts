// `up`: checks its flags and has the configuration read. Starts no service itself: supervision (src/up/) begins after the command has
// returned.
import { resolve } from '../../paths.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, PROFILE_FLAG } from '../flags.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super [up] [-f FILE]... [--profile NAME] [--quiet | --verbose] [--pid-file PATH] [NAME...]';

export default {
  summary: 'start the services and supervise them (the default)',
  usage: USAGE,
  example: 'svc-super up -f services.yaml open-webui   # with its dependencies',
  completes: 'services',
  flags: {
    file: FILE_FLAG,
    profile: PROFILE_FLAG,
    quiet: {
      type: 'boolean',
      short: 'q',
      summary: "of the supervisor's own lines print only warnings and errors (as `log: {level: warn}` in the file)",
    },
    verbose: {
      type: 'boolean',
      short: 'v',
      summary: 'print also probe attempts, signals and hooks (as `log: {level: debug}` in the file)',
    },
    'pid-file': {
      type: 'string',
      value: 'PATH',
      completes: 'files',
      summary:
        'write the pid of svc-super to this file before the first service starts, and remove it at the end, for a unit of systemd with PIDFile=',
    },
    debug: {
      type: 'boolean',
      summary:
        'for development of svc-super: print every event and its effects on standard error, and do not replace a supervisor that does not respond',
    },
  },
  run: prepareSupervision,
} satisfies Command;

/** Returns 0 if supervision can begin, or the exit code of an error. */
function prepareSupervision(context: CommandContext, given: GivenFlags): Promise<number> | number {
  const { values, positionals: names, lists } = given;
  if (values.quiet === true && values.verbose === true) {
    context.err('svc-super: `--quiet` and `--verbose` contradict each other: leave one out\n');
    return EXIT.usage;
  }
  const path = values['pid-file'];
  if (path === '') return reportUsage(context, '--pid-file needs a path', USAGE);
  const files = requireConfiguration(context, given);
  if (files === null) return EXIT.config;
  const level = values.quiet === true ? 'warn' : values.verbose === true ? 'debug' : null;
  const pidFile = typeof path === 'string' ? resolve(context.cwd, path) : null;
  return context.up(files, { names, profiles: lists?.profile ?? [], level, debug: values.debug === true, pidFile });
}
