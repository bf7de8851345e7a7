// `up`: starts the services. Supervision begins after the command has returned.
import { type Command, EXIT } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG } from '../flags.ts';

export default {
  summary: 'start the services and supervise them (the default)',
  usage: 'svc-super [up] [-f FILE]... [--debug] [NAME...]',
  example: 'svc-super up -f services.yaml open-webui   # with its dependencies',
  flags: {
    file: FILE_FLAG,
    debug: {
      type: 'boolean',
      summary:
        'for development of svc-super: print every event and its effects on standard error, and do not replace a supervisor that does not respond',
    },
  },
  run: (context, given) => {
    const files = requireConfiguration(context, given);
    return files === null ? EXIT.config : context.up(files, given.positionals, given.values.debug === true);
  },
} satisfies Command;
