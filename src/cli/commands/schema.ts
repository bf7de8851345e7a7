// `schema`: prints the JSON Schema of services.yaml, for editors. Reads no configuration.
import { type Command, EXIT } from '../command.ts';

export default {
  summary: 'print the JSON Schema of services.yaml, for editors',
  usage: 'svc-super schema',
  example: 'svc-super schema > services.schema.json',
  flags: {},
  run: async (context) => {
    const { jsonSchema } = await import('../../config/schema.ts');
    context.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    return EXIT.ok;
  },
} satisfies Command;
