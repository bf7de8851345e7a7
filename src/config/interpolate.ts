// `${VAR}`, `${VAR:-default}`, `${VAR:+text}`, `${VAR:?why}` and `$${` in the texts of services.yaml, except a command that is
// a text: there they are the shell's. Variables come from the container's environment only, and `SVC_REPLICA` from the replica. Nothing else is expanded: a single `$` and `$VAR` are literal, and `${VAR/a/b}` is an error. Braces in a
// default are in pairs, as in Compose: `${ARGS:-{"a": 1}}`.

interface InterpolationProblem {
  readonly code: 'unset-variable' | 'bad-interpolation';
  readonly message: string;
  readonly suggestion?: string;
  /** The invalid reference, as written. */
  readonly reference: string;
}

type Interpolated =
  | { readonly ok: true; readonly text: string /** false: there was nothing to replace. */; readonly changed: boolean }
  | { readonly ok: false; readonly problems: readonly InterpolationProblem[] };

const FORMS = `the forms are \`\${VAR}\`, \`\${VAR:-default}\`, \`\${VAR:+text}\`, \`\${VAR:?why}\`, and \`$\${\` for a literal \`\${\``;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const UNCLOSED = 'this `${` is never closed';
const MAX_DEPTH = 20;
const TOO_DEEP = `references are nested more than ${MAX_DEPTH} deep`;

/**
 * Replaces every reference in `text`. A default may contain references (`${A:-${B:-c}}`), up to a depth of 20. Returns all
 * problems of the text together.
 */
export function interpolate(text: string, environment: Readonly<Record<string, string>>): Interpolated {
  if (!text.includes('${')) return { ok: true, text, changed: false };
  const problems: InterpolationProblem[] = [];
  const result = expand(text, 0, environment, problems, 0);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, text: result.text, changed: true };
}

interface Expansion {
  readonly text: string;
  /** Index after the closing brace, or the end of the text. */
  readonly next: number;
  readonly closed: boolean;
}

/** Expands from `index` on; inside a reference (`depth` above 0) up to its closing brace. */
function expand(
  text: string,
  index: number,
  environment: Readonly<Record<string, string>>,
  problems: InterpolationProblem[],
  depth: number,
): Expansion {
  const parts: string[] = [];
  let at = index;
  /** How many literal braces are open. */
  let open = 0;
  while (at < text.length) {
    const next = depth > 0 ? nextOf(text, at) : text.indexOf('$', at);
    if (next < 0) break;
    parts.push(text.slice(at, next));
    if (text[next] === '}' && open === 0) return { text: parts.join(''), next: next + 1, closed: true };
    if (text[next] === '{' || text[next] === '}') {
      open += text[next] === '{' ? 1 : -1;
      parts.push(text[next] ?? '');
      at = next + 1;
    } else if (text.startsWith('$${', next)) {
      open += 1;
      parts.push('${');
      at = next + 3;
    } else if (text.startsWith('${', next)) {
      const reference = expandReference(text, next, environment, problems, depth);
      parts.push(reference.text);
      at = reference.next;
    } else {
      parts.push('$');
      at = next + 1;
    }
  }
  parts.push(text.slice(at));
  return { text: parts.join(''), next: text.length, closed: false };
}

/** The replacement of a reference, and the index of the text after it. */
interface Replacement {
  readonly text: string;
  readonly next: number;
}

function expandReference(
  text: string,
  start: number,
  environment: Readonly<Record<string, string>>,
  problems: InterpolationProblem[],
  depth: number,
): Replacement {
  const bad = (next: number, message: string, suggestion?: string): Replacement => {
    const problem = { code: 'bad-interpolation', message, reference: text.slice(start, next) } as const;
    problems.push(suggestion === undefined ? problem : { ...problem, suggestion });
    return { text: '', next };
  };
  if (depth >= MAX_DEPTH) return bad(text.length, TOO_DEEP);
  const name = NAME.exec(text.slice(start + 2, start + 2 + 256))?.[0] ?? '';
  const after = start + 2 + name.length;
  const closing = text.indexOf('}', start) + 1;
  if (closing === 0) {
    return bad(text.length, UNCLOSED, 'write `}` after the name, or `$${` for a literal `${`');
  }
  if (name === '') {
    return bad(
      closing,
      'there is no variable name after this `${`',
      `write \`\${NAME}\`, or \`$\${\` for a literal \`\${\``,
    );
  }
  const value = Object.hasOwn(environment, name) ? (environment[name] ?? '') : undefined;
  if (text[after] === '}') {
    if (value === undefined && name === 'SVC_REPLICA') {
      return bad(after + 1, `\`\${${name}}\`, the number of a replica, is set only within a service`);
    }
    if (value === undefined) {
      problems.push({
        code: 'unset-variable',
        message: `${name} is not set`,
        suggestion: `write \`\${${name}:-}\` if it may be empty`,
        reference: text.slice(start, after + 1),
      });
    }
    return { text: value ?? '', next: after + 1 };
  }
  const operator = text.slice(after, after + 2);
  if (operator !== ':-' && operator !== ':+' && operator !== ':?') {
    const shown = text.slice(start, Math.min(closing, start + 60));
    return bad(closing, `\`${shown}\` is not a supported form`, FORMS);
  }
  return expandOperator({ text, start, after, name, value, operator, bad }, environment, problems, depth);
}

interface Reference {
  readonly text: string;
  /** Where the reference begins, and where its operator begins. */
  readonly start: number;
  readonly after: number;
  readonly name: string;
  readonly value: string | undefined;
  readonly operator: ':-' | ':+' | ':?';
  bad(next: number, message: string, suggestion?: string): Replacement;
}

/** `${NAME:-default}`, `${NAME:+instead}`, `${NAME:?why}`. */
function expandOperator(
  { text, start, after, name, value, operator, bad }: Reference,
  environment: Readonly<Record<string, string>>,
  problems: InterpolationProblem[],
  depth: number,
): Replacement {
  // As in the shell, the text after the operator is evaluated only if it is needed.
  const given = value !== undefined && value !== '';
  const needed = given === (operator === ':+');
  const inner: InterpolationProblem[] = [];
  const rest = expand(text, after + 2, environment, inner, depth + 1);
  if (needed) problems.push(...inner);
  if (!rest.closed) {
    // A reference inside that takes the rest of the text, and with it the closing brace of this one, is the only cause.
    const cause = inner.find(({ message }) => message === UNCLOSED || message === TOO_DEEP);
    if (cause === undefined) return bad(text.length, UNCLOSED, 'write `}` at its end, or `$${` for a literal `${`');
    if (!needed) problems.push(cause);
    return { text: '', next: text.length };
  }
  if (!needed) return { text: operator === ':+' ? '' : (value ?? ''), next: rest.next };
  if (operator !== ':?') return { text: rest.text, next: rest.next };
  const why = rest.text.trim() === '' ? '' : `: ${rest.text.trim()}`;
  problems.push({
    code: 'unset-variable',
    message: `${name} is ${value === undefined ? 'not set' : 'empty'}${why}`,
    reference: text.slice(start, rest.next),
  });
  return { text: '', next: rest.next };
}

/** The index of the next character that counts inside a reference. */
function nextOf(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1)
    if (text[at] === '$' || text[at] === '{' || text[at] === '}') return at;
  return -1;
}
