// `init`: only the help of the command. The native program executes `init` itself, and never runs this file for it.
import { type Command, EXIT } from '../command.ts';

export default {
  summary: 'run one command under PID 1: forward signals, reap orphans, exit with its code (options: `init -h`)',
  usage: 'svc-super init [OPTION...] [--] CMD [ARG...]',
  example: 'ENTRYPOINT ["svc-super", "init", "--", "nginx", "-g", "daemon off;"]',
  flags: {},
  // Not reached.
  run: () => EXIT.bug,
} satisfies Command;
