// `version`: prints the release, and how it was built.
import { type Command, EXIT } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';

export default {
  summary: 'print the version; with --json also commit, runtime, C library and architecture',
  usage: 'svc-super version [--json]',
  example: 'svc-super version --json',
  flags: { json: JSON_FLAG },
  run: (context, { values }) => {
    context.out(values.json === true ? renderJson(context.describeBuild(), 2) : `svc-super ${context.version}\n`);
    return EXIT.ok;
  },
} satisfies Command;
