// `up`: starts the services. Supervision begins after the command has returned.
import { type Command, EXIT } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, PROFILE_FLAG } from '../flags.ts';

export default {
  summary: 'start the services and supervise them (the default)',
  usage: 'svc-super [up] [-f FILE]... [--profile NAME] [--quiet | --verbose] [NAME...]',
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
    debug: {
      type: 'boolean',
      summary:
        'for development of svc-super: print every event and its effects on standard error, and do not replace a supervisor that does not respond',
    },
  },
  run: (context, given) => {
    const { values, positionals: names, lists } = given;
    if (values.quiet === true && values.verbose === true) {
      context.err('svc-super: `--quiet` and `--verbose` contradict each other: leave one out\n');
      return EXIT.usage;
    }
    const level = values.quiet === true ? 'warn' : values.verbose === true ? 'debug' : null;
    const files = requireConfiguration(context, given);
    if (files === null) return EXIT.config;
    return context.up(files, { names, level, debug: values.debug === true, profiles: lists?.profile ?? [] });
  },
} satisfies Command;
