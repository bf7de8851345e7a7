// The control API's TCP listener in the Plan: its token is read, and its port is compared with the ports of the services.
import type { Config } from '../config/config.ts';
import { TOKEN, TOKEN_RULE, type Token } from '../config/control-values.ts';
import { type FileReader, readText } from '../config/file.ts';
import { dirname, resolve } from '../paths.ts';
import type { ControlPlan } from './plan.ts';
import { isWritten, type Problems } from './problems.ts';

const PATH = ['control', 'http'] as const;

/** Resolves the listener. Problems go to `problems`; the plan is then not used. */
export function toControlPlan(config: Config, files: FileReader, problems: Problems): ControlPlan | null {
  if (config.control === null) return null;
  const { listen, token, open, hosts } = config.control;
  const owner = config.services.find(({ enabled, ports }) => enabled && ports.includes(listen.port));
  if (owner !== undefined) {
    const message = `\`${owner.name}\` and the control API both listen on port ${listen.port}`;
    problems.error([...PATH, 'listen'], 'shared-port', message);
  }
  if (token === null && !isWritten(config, [...PATH, 'token'])) {
    const message = 'without a token the control API is read-only over TCP: it cannot start, stop or run anything';
    const suggestion =
      "add `token: {file: PATH}` for the dashboard's buttons and for other clients; `svc-super` commands in this container need no token";
    problems.warn([...PATH, 'listen'], 'reads-only', message, { suggestion });
  }
  return {
    ...listen,
    token: token === null ? null : readToken(token, config, files, problems),
    open,
    hosts: hosts.map((name) => name.toLowerCase()),
  };
}

function readToken(token: Token, config: Config, files: FileReader, problems: Problems): string | null {
  if ('text' in token) return token.text;
  const file = resolve(dirname(config.source.file), token.file);
  const place = [...PATH, 'token', 'file'];
  const result = readText(files, file);
  if (!result.ok) {
    problems.error(place, result.code, `cannot read ${file}: ${result.why}`, { suggestion: result.suggestion });
    return null;
  }
  const text = result.text.replace(/\r?\n$/, '');
  if (TOKEN.test(text)) return text;
  const message =
    text === ''
      ? `${file} is empty: it must contain the token`
      : `${file} does not contain a valid token: a token is ${TOKEN_RULE}`;
  problems.error(place, 'wrong-value', message);
  return null;
}
