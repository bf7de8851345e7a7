// `--url`, `--token` and their variables: makes the context of a command that is sent to a supervisor on another machine. Loaded only
// with `--url`, with `--token`, or with $SVC_SUPER_URL and no `--socket`. Sends nothing.
import { readText } from '../config/file.ts';
import { dialRemote, parseAddress } from '../control/remote.ts';
import type { CommandContext, GivenFlags } from './command.ts';

type Reached = { readonly ok: true; readonly context: CommandContext } | { readonly ok: false; readonly why: string };

/** The context of a command whose flags or variables name a URL; or why they cannot be used. */
export function reachRemote(context: CommandContext, { url, socket, token }: GivenFlags['values']): Reached {
  const { SVC_SUPER_URL = '', SVC_SUPER_TOKEN = '' } = context.environment;
  if (typeof url === 'string' && socket !== undefined)
    return { ok: false, why: '--url and --socket name two supervisors: use one of them' };
  const given = typeof url === 'string' ? url : socket === undefined ? SVC_SUPER_URL : '';
  if (given === '') {
    const why = typeof url === 'string' ? '--url is empty' : '--token is for a supervisor at --url or $SVC_SUPER_URL';
    return { ok: false, why };
  }
  const parsed = parseAddress(given);
  if (!parsed.ok) return { ok: false, why: `${typeof url === 'string' ? '--url' : '$SVC_SUPER_URL'} ${parsed.why}` };
  const bearer = typeof token === 'string' ? token : SVC_SUPER_TOKEN;
  if (!/^[\x21-\x7e]*$/.test(bearer)) {
    const from = typeof token === 'string' ? '--token' : '$SVC_SUPER_TOKEN';
    return { ok: false, why: `${from} has a character that no token has: a space, a line end, or one beyond ASCII` };
  }
  const authorities = parsed.address.isSecure ? readAuthorities(context) : null;
  if (authorities !== null && !authorities.ok)
    return { ok: false, why: `$SSL_CERT_FILE cannot be read: ${authorities.why}` };
  if (authorities?.text.includes('-----BEGIN CERTIFICATE-----') === false)
    return { ok: false, why: '$SSL_CERT_FILE names a file without a certificate in the form of PEM' };
  const dial = dialRemote(parsed.address, bearer === '' ? null : bearer, authorities?.text ?? null);
  // Standard input and the terminal of this process cannot be opened on another machine.
  return {
    ok: true,
    context: Object.create(context, toDescriptors({ dial: () => dial, execStdin: null, execTerminal: null })),
  };
}

/** The certificates that the user trusts, in the variable that OpenSSL, curl and Go read; null: the runtime's own list. */
function readAuthorities({ environment, files }: CommandContext): ReturnType<typeof readText> | null {
  const { SSL_CERT_FILE = '' } = environment;
  return SSL_CERT_FILE === '' ? null : readText(files, SSL_CERT_FILE);
}

/** Values as property descriptors for Object.create, which keeps the getters of the context; a spread would call them. */
function toDescriptors(values: Partial<CommandContext>): PropertyDescriptorMap {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, enumerable: true }]));
}
