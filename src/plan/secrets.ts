// What is not shown of a plan: values that are probably secret. Pure.

/** Names of variables whose values are probably secret. `PWD` alone is the working folder. */
const SECRET_NAME = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|_PWD/i;
/** The password in an address: `postgres://user:password@host`. */
const PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi;
/** A token in place of the user of a web address: `https://token@host`. */
const TOKEN_AS_USER = /(\bhttps?:\/\/)[^\s:/@?#]+@/gi;
/** Names of options and fields, whole ones: `--max-tokens` and `--tokenizer` have no secret. */
const FIELD = '(?:(?<![A-Za-z])(?:token|secret|pwd|(?:api|access|secret)[-_]?key|credentials?)|password|passwd)';
/** A field with its value: `--api-key=x`, `?token=x`, `"password": "x"`. */
const FIELD_VALUE = new RegExp(`(${FIELD}["']?(?:=|:\\s?)["']?)[^\\s"'&,;}]+`, 'gi');
const OPTION = new RegExp(`^--?.*${FIELD}$`, 'i');

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A text without the passwords of addresses and the values of fields such as `token=` in it. */
export function hidePasswords(text: string): string {
  return text.replace(PASSWORD, '$1***@').replace(TOKEN_AS_USER, '$1***@').replace(FIELD_VALUE, '$1***');
}

/** The same for the arguments of a command: also of `--api-key VALUE`. */
export function hideInArguments(argv: readonly string[]): readonly string[] {
  return argv.map((argument, at) => (OPTION.test(argv[at - 1] ?? '') ? '***' : hidePasswords(argument)));
}
