// What is not shown of a plan: values that are probably secret. Pure.

/** Names of variables whose values are probably secret. */
const SECRET_NAME = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH/i;
/** The password in an address: `postgres://user:password@host`. */
const PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi;

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A text without the passwords of addresses in it. */
export function hidePasswords(text: string): string {
  return text.replace(PASSWORD, '$1***@');
}
