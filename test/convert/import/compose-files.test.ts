// The files that a Compose file includes, extends or is merged with, and dependencies on services that are not imported.
import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import type { ImportInput } from '../../../src/convert/import/source.ts';
import { importText, lines } from './rig.ts';

const service = (more: string) => `{ image: app, entrypoint: [run], ${more} }`;

/** The services of the result by name, and the findings. */
async function imported(text: string, files: Readonly<Record<string, string>> = {}, more: Partial<ImportInput> = {}) {
  const result = await importText('compose', text, { read: (path) => files[path] ?? null, ...more });
  if (!result.ok) throw new Error(result.message);
  return { services: parse(result.text).services, findings: lines(result.findings).join('\n') };
}

describe('`include`', () => {
  const main = (include: string) => `include: [${include}]\nservices: { web: ${service('')} }\n`;

  test('several paths of one item are merged', async () => {
    const { services } = await imported(main('{ path: [a.yaml, b.yaml] }'), {
      'a.yaml': `services: { db: ${service('environment: {A: "1", B: "1"}')} }\n`,
      'b.yaml': 'services: { db: { environment: {B: "2"} } }\n',
    });
    expect(services.db.env).toEqual({ A: '1', B: '2' });
    expect(services.db.command).toEqual(['run']);
  });

  test('its other keys, and the top level of the file, are reported', async () => {
    const { findings } = await imported(main('{ path: a.yaml, project_directory: x, env_file: x.env }'), {
      'a.yaml': `name: other\nnetworks: { inner: {} }\nservices: { db: ${service('')} }\n`,
    });
    expect(findings).toContain(
      'include.project_directory: x: paths in the included file are relative to its own folder',
    );
    expect(findings).toContain('include.env_file: x.env: svc-super takes variables from the environment');
    expect(findings).toContain('a.yaml:1:1: not carried over: name: other');
    expect(findings).toContain('a.yaml:2:13: not carried over: networks.inner');
  });

  test('a file that includes itself, and one that is not there, have their reasons', async () => {
    const circle = { 'a.yaml': 'include: [a.yaml]\nservices: {}\n' };
    const { findings } = await imported(main('a.yaml'), circle);
    expect(findings).toContain(
      'include a.yaml: files or services refer to each other more than 10 times, or in a circle',
    );
    expect((await imported(main('none.yaml'))).findings).toContain('include none.yaml: the file cannot be read');
  });
});

test('two services of one name are reported in a file with those that it includes, unless they are the same', async () => {
  const web = (command: string) => `services: { web: ${service(`command: [${command}]`)} }\n`;
  const files = { 'a.yaml': web('one'), 'b.yaml': web('two') };
  const both = await imported(`include: [a.yaml, b.yaml]\nservices: { db: ${service('')} }\n`, files);
  const refused = 'has another service of this name, and Compose refuses that. The other one is left out';
  expect(both.findings).toContain(`b.yaml:1:18: needs a look: service web: a.yaml:1 ${refused}`);
  expect(both.services.web.command).toEqual(['run', 'two']);
  const own = await imported(`include: [a.yaml]\n${web('two')}`, files);
  expect(own.findings).toContain(`source:2:18: needs a look: service web: a.yaml:1 ${refused}`);
  expect((await imported(`include: [a.yaml, a.yaml]\n${web('one')}`, files)).findings).not.toContain(refused);
  const more = [{ path: 'b.yaml', text: web('two') }];
  expect((await imported('include: [a.yaml]\n', files, { more })).findings).not.toContain(refused);
});

test('`extends` that leads nowhere has its reason', async () => {
  const extending = async (what: string, files = {}) =>
    (await imported(`services: { web: ${service(`extends: ${what}`)} }\n`, files)).findings;
  expect(await extending('web')).toContain('extends web: files or services refer to each other more than 10 times');
  expect(await extending('{ file: a.yaml, service: x }')).toContain('extends a.yaml x: the file cannot be read');
  expect(await extending('{ file: a.yaml, service: x }', { 'a.yaml': 'services: {' })).toContain(
    'extends a.yaml x: the file is not valid: ',
  );
  expect(await extending('{ file: a.yaml, service: x }', { 'a.yaml': 'services: {}' })).toContain(
    'extends a.yaml x: there is no such service',
  );
});

test('a scalar is added to a list, and a list to a scalar', async () => {
  const files = async (first: string, second: string) => {
    const more = [{ path: 'b.yaml', text: `services: { web: { env_file: ${second} } }\n` }];
    const { services } = await imported(`services: { web: ${service(`env_file: ${first}`)} }\n`, {}, { more });
    return services.web.env_file;
  };
  const both = await files('[a.env]', '[b.env]');
  expect(both).toHaveLength(2);
  expect(await files('a.env', '[b.env]')).toEqual(both);
  expect(await files('[a.env]', 'b.env')).toEqual(both);
  expect(await files('a.env', 'b.env')).toEqual(both);
});

test('an environment file without a name is left out, in both forms', async () => {
  const env_file = 'env_file: ["", { path: "" }, { path: a.env, required: false }]';
  const { services } = await imported(`services: { web: ${service(env_file)} }\n`, {});
  expect(services.web.env_file).toEqual({ path: 'a.env', required: false });
});

test('a file after an empty one keeps its top level', async () => {
  const more = [{ path: 'b.yaml', text: `name: shop\nservices: { web: ${service('')} }\n` }];
  const result = await importText('compose', 'null\n', { more });
  expect(result.ok && parse(result.text).name).toBe('shop');
});

test('a tag is refused with what to import instead, also where several files are merged', async () => {
  const more = [{ path: 'b.yaml', text: 'services: { web: { environment: !reset {} } }\n' }];
  const result = await importText('compose', `services: { web: ${service('')} }\n`, { more });
  expect(!result.ok && result.message).toBe(
    'tags such as `!reset` are not supported: import what `docker compose config` prints, which has none',
  );
});

test('a dependency that is left out has its own reason and place', async () => {
  const holder = '{ image: app, entrypoint: [sleep, infinity] }';
  const web = service('network_mode: "service:pause", depends_on: [pause, constructor], links: [gone]');
  const { services, findings } = await imported(`services:\n  pause: ${holder}\n  web: ${web}\n`);
  expect(services.web.depends_on).toBeUndefined();
  expect(findings).toMatch(/3:\d+: not carried over: depends_on pause: that service only keeps a network/);
  expect(findings).toContain('depends_on constructor: no service has that name');
  expect(findings).toContain(
    `3:${`  web: ${web}`.indexOf('links') + 1}: needs a look: links gone: no service has that name`,
  );
});

test('a key that every object has as a property is an unknown key', async () => {
  const { findings } = await imported(`services: { web: ${service('constructor: x')} }\ntoString: y\n`);
  expect(findings).toContain('toString: y: Compose has no such key');
  expect(findings).toMatch(/constructor of web: x: services.yaml has nothing like it/);
});

test('an environment file is read by its absolute path, and an unknown key of it has its own reason', async () => {
  const source = `services: { web: ${service('env_file: [{ path: /etc/a.env, format: raw, x: 1 }]')} }\n`;
  const { findings } = await imported(source, { '/etc/a.env': 'A=$B\n' }, { path: 'deep/compose.yaml' });
  expect(findings).toContain('Compose replaces the variables in it');
  expect(findings).toMatch(/env_file\.format .*: values of environment files are literal/);
  expect(findings).toMatch(/env_file\.x .*: Compose has no such key/);
});
