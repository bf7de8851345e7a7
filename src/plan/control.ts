// The listener of the control API as the Plan has it: its token read, its port compared with those of the services.
import type { Config } from '../config/config.ts';
import { TOKEN, TOKEN_RULE, type Token } from '../config/control-values.ts';
import { type FileReader, readText } from '../config/file.ts';
import { dirname, resolve } from '../paths.ts';
import { type Complaints, isWritten } from './complaints.ts';
import type { ControlPlan } from './plan.ts';

const PATH = ['control', 'http'] as const;

/** Reads what is wanted; what is wrong goes to `complaints`, and that plan goes nowhere. */
export function toControlPlan(config: Config, files: FileReader, complaints: Complaints): ControlPlan | null {
  if (config.control === null) return null;
  const { listen, token, open, hosts } = config.control;
  const owner = config.services.find(({ enabled, ports }) => enabled && ports.includes(listen.port));
  if (owner !== undefined) {
    const message = `\`${owner.name}\` and the control API both listen on port ${listen.port}`;
    complaints.error([...PATH, 'listen'], 'shared-port', message);
  }
  if (token === null && !isWritten(config, [...PATH, 'token'])) {
    const message =
      'without a token the control API answers reads only over TCP: nothing can be started, stopped or run';
    const suggestion =
      "add `token: {file: PATH}` for the dashboard's buttons and for tools; `svc-super` commands need none";
    complaints.warn([...PATH, 'listen'], 'reads-only', message, { suggestion });
  }
  return {
    ...listen,
    token: token === null ? null : readToken(token, config, files, complaints),
    open,
    hosts: hosts.map((name) => name.toLowerCase()),
  };
}

function readToken(token: Token, config: Config, files: FileReader, complaints: Complaints): string | null {
  if ('text' in token) return token.text;
  const file = resolve(dirname(config.source.file), token.file);
  const place = [...PATH, 'token', 'file'];
  const result = readText(files, file);
  if (!result.ok) {
    complaints.error(place, result.code, `cannot read ${file}: ${result.why}`, { suggestion: result.suggestion });
    return null;
  }
  const text = result.text.replace(/\r?\n$/, '');
  if (TOKEN.test(text)) return text;
  const message =
    text === '' ? `${file} is empty: it must hold the token` : `${file} does not hold a token: ${TOKEN_RULE}`;
  complaints.error(place, 'wrong-value', message);
  return null;
}
