// `up`: starts the services. Supervision begins after the command has returned.
import { type Command, EXIT } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, PROFILE_FLAG } from '../flags.ts';

export default {
  summary: 'start the services and supervise them (the default)',
  usage: 'svc-super [up] [-f FILE]... [--profile NAME] [--debug] [NAME...]',
  example: 'svc-super up -f services.yaml open-webui   # with its dependencies',
  completes: 'services',
  flags: {
    file: FILE_FLAG,
    profile: PROFILE_FLAG,
    debug: {
      type: 'boolean',
      summary:
        'for development of svc-super: print every event and its effects on standard error, and do not replace a supervisor that does not respond',
    },
  },
  run: (context, given) => {
    const files = requireConfiguration(context, given);
    const { values, positionals, lists } = given;
    return files === null ? EXIT.config : context.up(files, positionals, values.debug === true, lists?.profile ?? []);
  },
} satisfies Command;
