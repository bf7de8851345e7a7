// `control`: addresses, tokens and open endpoints; above all, no listener beyond the loopback without a token.
import { describe, expect, test } from 'bun:test';
import { type Around, load, messages, planOf, printed } from './rig.ts';

const withHttp = (http: string) => `control: {http: ${http}}\nservices: {a: {command: run}}\n`;
const control = (http: string, around: Around = {}) => planOf(withHttp(http), around).control;
const LOCAL = { host: '127.0.0.1', port: 9100, token: null, open: [], hosts: [] };

describe('control', () => {
  test('is off by default', () => {
    expect(planOf('services: {a: {command: run}}').control).toBe(null);
    expect(planOf('control: {}\nservices: {a: {command: run}}').control).toBe(null);
  });

  test('listens on the loopback by default, without a token', () => {
    expect(control('{}')).toEqual(LOCAL);
  });

  test.each([
    ['127.0.0.1:9100', '127.0.0.1'],
    ['localhost:9100', '127.0.0.1'],
    ['9100', '127.0.0.1'],
    ['"[::1]:9100"', '::1'],
    ['127.3.2.1:9100', '127.3.2.1'],
    ['"[::ffff:127.0.0.1]:9100"', '::ffff:7f00:1'],
  ])('accepts %s', (listen, host) => {
    expect(control(`{listen: ${listen}}`)).toEqual({ ...LOCAL, host });
  });

  test.each([
    [':9100', '0.0.0.0'],
    ['"*:9100"', '0.0.0.0'],
    ['10.0.0.5:9100', '10.0.0.5'],
    ['"[::]:9100"', '::'],
    ['"[2001:DB8:0::1]:9100"', '2001:db8::1'],
    // 7.240.0.1: not of 127.0.0.0/8, whose first group is `7fxx`.
    ['"[::ffff:7.240.0.1]:9100"', '::ffff:7f0:1'],
  ])('accepts %s only with a token', (listen, host) => {
    const given = listen.startsWith('"') ? listen : `"${listen}"`;
    expect(control(`{listen: ${given}, token: abc}`)).toEqual({ ...LOCAL, host, token: 'abc' });
    expect(messages(withHttp(`{listen: ${given}}`))).toEqual([
      `without a \`token\` everyone who can reach ${host} could read the API: a \`token\` is required beyond the loopback`,
    ]);
    // Open endpoints do not replace a token.
    expect(load(withHttp(`{listen: ${given}, open: [healthz, readyz, metrics]}`)).ok).toBe(false);
  });

  test.each(['example.com:9100', '127.0.0.1', '127.0.0.1:0', '1.2.3:80', '::1:80', '256.1.1.1:1', '[::g]:1', '70000'])(
    'refuses to listen on %s',
    (listen) => {
      expect(messages(withHttp(`{listen: "${listen}"}`))[0]).toStartWith('`listen` must be an address and a port');
    },
  );

  test('takes the token from a file or a variable, and never shows it', () => {
    const files = { '/run/t': 's3cret==\n' };
    expect(control('{token: {file: /run/t}}', { files })?.token).toBe('s3cret==');
    const environment = { TOKEN: 'from-env' };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to a variable
    expect(control('{token: "${TOKEN}"}', { environment })?.token).toBe('from-env');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: likewise
    const wrong = printed(withHttp('{token: "${TOKEN}"}'), { environment: { TOKEN: 'two words' } });
    expect(wrong).toContain('`token` is not a valid token');
    expect(wrong).not.toContain('two words');
    for (const text of ['', 'two words\n', 'a\nb\n']) {
      const around = { files: { '/run/t': text } };
      expect(load(withHttp('{token: {file: /run/t}}'), around).ok).toBe(false);
      expect(printed(withHttp('{token: {file: /run/t}}'), around)).not.toContain('two words');
    }
    expect(messages(withHttp('{token: {file: /run/t}}'))).toEqual(['cannot read /run/t: there is no such file']);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: likewise
    expect(messages(withHttp('{listen: ":1", token: "${NONE}"}'))).toEqual(['NONE is not set']);
    expect(load(withHttp('{listen: ":1", token: ""}')).ok).toBe(false);
    expect(load(withHttp('{listen: ":1", token: null}')).ok).toBe(false);
  });

  test('without a token is read-only, with a warning', () => {
    const warnings = (text: string) => {
      const loaded = load(withHttp(text));
      return loaded.ok ? loaded.value.warnings.map(({ code, range }) => `${code} ${range.line}`) : ['wrong'];
    };
    expect(warnings('{listen: 1}')).toEqual(['reads-only 1']);
    expect(warnings('{}')).toEqual(['reads-only 1']);
    expect(warnings('{token: {file: /run/t}}')).toEqual(['wrong']);
  });

  test('opens three endpoints only', () => {
    expect(control('{open: [metrics, healthz]}')?.open).toEqual(['metrics', 'healthz']);
    expect(load(withHttp('{open: [dashboard]}')).ok).toBe(false);
    expect(load(withHttp('{open: true}')).ok).toBe(false);
  });

  test('must not use the port of a service', () => {
    const text = 'control: {http: {listen: 8080}}\nservices: {a: {command: run, port: 8080}}\n';
    expect(messages(text)[0]).toBe('`a` and the control API both listen on port 8080');
  });
});
