// Recognizes values that are probably secret, and replaces them in texts that are shown. Never changes what a service gets. Pure.

/** Names of variables whose values are probably secret. `PWD` alone is the working folder. */
const SECRET_NAME = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|_PWD/i;
/**
 * The password in an address: `postgres://user:password@host`. It may contain `/` and `@`, although they should be encoded.
 * Digits before a `/` are a port.
 */
const PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)(?!\d+\/)(?:(?!:\/\/)[^\s@])+(?:@[^\s@/?#"',;]*)*@/gi;
/** A token in place of the user of a web address: `https://token@host`. */
const TOKEN_AS_USER = /(\bhttps?:\/\/)[^\s:/@?#]+@/gi;
/** Names of options and fields. They must match as a whole: `--max-tokens` and `--tokenizer` are no secrets. */
const FIELD =
  '(?:(?<![A-Za-z])(?:(?:(?:access|api|auth|bearer|client|id|refresh|session)[-_]?)?(?:token|secret)|pwd|' +
  '(?:api|access|secret)[-_]?key|credentials?)|password|passwd)';
/** A field with its value: `--api-key=x`, `?token=x`, `"password": "x y"`. */
const FIELD_VALUE = new RegExp(`(${FIELD}["']?(?:=|:\\s?))(?:(")(?:\\\\.|[^"\\\\])+|(')[^']+|[^\\s"'&,;}]+)`, 'gi');
/** The header of HTTP: `Authorization: Bearer x`. */
const AUTHORIZATION =
  /(\bauthorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|(?:api-?)?key)\s+)?)[^\s"',;}]+/gi;
const OPTION = new RegExp(`^--?.*${FIELD}$`, 'i');
/** An option together with its value, which may contain spaces. */
const OPTION_VALUE = new RegExp(`^(--?[^\\s=]*${FIELD}=).+$`, 'is');
/** An option and its value as two words of a command that a shell reads. */
const OPTION_WORDS = new RegExp(
  `((?:^|\\s)--?[^\\s=]*${FIELD}(?:\\s|\\\\\\n)+)(?:"(?:\\\\.|[^"\\\\])*"?|'[^']*'?|[^\\s"';&|])+`,
  'gi',
);

/** Whether the variable of this name probably has a secret value. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A text in which the passwords of addresses and the values of fields such as `token=` are replaced by `***`. */
export function hidePasswords(text: string): string {
  return text
    .replace(PASSWORD, '$1***@')
    .replace(TOKEN_AS_USER, '$1***@')
    .replace(AUTHORIZATION, '$1***')
    .replace(FIELD_VALUE, '$1$2$3***');
}

/** A command for a shell as `hidePasswords` shows it; in addition, the value of `--api-key VALUE` is replaced. */
export function hideInCommand(text: string): string {
  return hidePasswords(text.replace(OPTION_WORDS, '$1***'));
}

/** Arguments of a command as `hideInCommand` shows a text: one of them may be the text for a shell (`sh -c TEXT`). */
export function hideInArguments(argv: readonly string[]): readonly string[] {
  return argv.map((argument, at) =>
    OPTION.test(argv[at - 1] ?? '') ? '***' : hideInCommand(argument.replace(OPTION_VALUE, '$1***')),
  );
}
