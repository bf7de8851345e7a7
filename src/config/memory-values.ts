// How much memory a service may use, as the supervisor watches it.
import { defaulted, field } from './field.ts';
import { size, wordOf } from './shape.ts';

export const MEMORY = {
  max_memory: field(
    size(),
    'private memory of all its processes together, above which `on_exceed` applies: `8GiB`; read every five seconds, and two readings in a row count',
    'not watched',
  ),
  on_exceed: defaulted(
    wordOf(['restart', 'fail', 'warn'], { kill: 'fail', stop: 'fail', exit: 'fail', log: 'warn', none: 'warn' }),
    'above `max_memory`: `restart` it whatever its policy, let the run `fail` with code 137 so that `restart` decides, or `warn`',
    'restart',
  ),
} as const;
