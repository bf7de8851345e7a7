// Nothing is dropped silently: a field of services.yaml that is removed changes the output or the report, for every example, every
// export, and a file that has every field.
import { describe, expect, test } from 'bun:test';
import { parseDocument } from 'yaml';
import { SERVICE, type TOP } from '../../../../src/config/schema.ts';
import { renderFinding } from '../../../../src/convert/findings.ts';
import { EXAMPLES, exported, FORMS } from '../rig.ts';

/** A value other than the default for every field of a service. `command` is given anyway. */
const VALUES: Readonly<Record<keyof typeof SERVICE, unknown>> = {
  command: ['/usr/bin/program', '--flag'],
  type: 'task',
  schedule: '*/15 * * * *',
  time_zone: 'Europe/Berlin',
  every: '10m',
  overlap: 'kill',
  catch_up: true,
  jitter: '5s',
  enabled: false,
  start: 'manual',
  profiles: ['debug'],
  group: 'first',
  depends_on: ['base'],
  ready: { http: { path: '/ok', status: 204 } },
  live: { http: '/alive' },
  start_timeout: '7m',
  start_stall: '50s',
  restart: { policy: 'on-failure', max: 4, within: '5m', backoff: { initial: '2s' } },
  success_codes: [0, 3],
  essential: false,
  stop: { signal: 'INT', timeout: '3s', to: 'group', leftover_timeout: '1s' },
  forward: ['HUP'],
  env: { NAME: 'value' },
  env_file: '/etc/values.env',
  env_inherit: 'none',
  cwd: '/srv',
  user: '1000:1000',
  umask: '027',
  nice: 5,
  oom_score_adj: 100,
  cpus: '0-1',
  limits: { nofile: 4096, as: '1GiB' },
  port: 8000,
  ports: [8000, 8001],
  log: {
    prefix: false,
    format: 'json',
    when_full: 'drop',
    ansi: 'strip',
    merge: false,
    drop: 'x',
    file: { path: '/l' },
  },
  max_memory: '1GiB',
  on_exceed: 'warn',
  memory_limit: '2GiB',
  oom_group: false,
  gpus: { count: 1, optional: true, min_free: '1GiB', free_timeout: '5s', on_lost: 'restart' },
  replicas: 2,
  hooks: { before_start: 'true', after_ready: 'true', before_stop: 'true', after_exit: 'true' },
  venv: '/opt/venv',
};

/** What a field needs beside it. */
const NEEDED: Readonly<Partial<Record<keyof typeof SERVICE, object>>> = {
  ready: { port: 8000 },
  live: { port: 8000 },
  on_exceed: { max_memory: '1GiB' },
  oom_group: { memory_limit: '2GiB' },
  schedule: { type: 'task' },
  every: { type: 'task' },
  time_zone: { type: 'task', schedule: '@daily' },
  overlap: { type: 'task', every: '10m' },
  catch_up: { type: 'task', every: '10m' },
  jitter: { type: 'task', every: '10m' },
};

const TOP_VALUES: Readonly<Partial<Record<keyof typeof TOP, unknown>>> = {
  name: 'other',
  exit: 'all',
  stop_timeout: '11s',
  stop_signals: ['TERM'],
  env: { TOP: 'value' },
  env_file: '/etc/top.env',
  groups: ['first'],
  hosts: true,
  control: { http: { listen: '127.0.0.1:9100' } },
};

type Form = (typeof FORMS)[number][1];

async function shown(file: object, form: Form): Promise<string> {
  const { files, findings } = await exported(JSON.stringify(file), form);
  // Files that are a copy of the input say nothing about what the export carries over.
  const texts = files.filter(({ isCopy }) => isCopy !== true).map(({ text }) => text);
  // Positions move when a field is removed.
  return [...texts, ...findings.map((finding) => renderFinding({ ...finding, where: null }))].join('\n');
}

/** Forms in which services.yaml itself is in the image, and every field has its effect there. */
const WHOLE = new Set(['nosana', 'slurm', 'dockerfile', 'systemd', 'kubernetes --one-container']);
const PER_SERVICE = FORMS.filter(([form]) => !WHOLE.has(form));

describe.each(PER_SERVICE)('%s', (_form, options) => {
  const base = { command: ['base'], port: 7000 };
  const fields = Object.keys(SERVICE) as (keyof typeof SERVICE)[];
  test.each(fields.filter((field) => field !== 'command' && field !== 'env_inherit'))(
    '`%s` changes the output or the report',
    async (field) => {
      const plain = { command: ['/usr/bin/program'], ...NEEDED[field] };
      const groups = { groups: ['first'] };
      const rest = { base: field === 'group' ? { ...base } : base };
      const without = await shown({ ...(field === 'group' ? groups : {}), services: { ...rest, one: plain } }, options);
      const whole = {
        ...(field === 'group' ? groups : {}),
        services: { ...rest, one: { ...plain, [field]: VALUES[field] } },
      };
      if (field === 'group') {
        // A group means something only beside another one.
        const two = { groups: ['zero', 'first'], services: { ...rest, two: { ...plain, group: 'zero' } } };
        const grouped = { ...two, services: { ...two.services, one: { ...plain, group: 'first' } } };
        const ungrouped = { ...two, services: { ...two.services, one: plain }, groups: ['zero'] };
        expect(await shown(grouped, options)).not.toBe(await shown(ungrouped, options));
      } else expect(await shown(whole, options)).not.toBe(without);
    },
  );

  const nested = fields.flatMap((field) => {
    const value = VALUES[field];
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && !['ready', 'live', 'env'].includes(field)
      ? Object.keys(value)
          .filter((part) => !['policy', 'count', 'prefix'].includes(part))
          .map((part) => [field, part] as const)
      : [];
  });
  test.each(nested)('`%s.%s` changes the output or the report', async (field, part) => {
    const { [part]: _removed, ...rest } = VALUES[field] as Record<string, unknown>;
    const rebuild = (value: unknown) => ({
      services: { base, one: { command: ['/usr/bin/program'], [field]: value } },
    });
    const without =
      Object.keys(rest).length === 0 ? { services: { base, one: { command: ['/usr/bin/program'] } } } : rebuild(rest);
    // `max` is what `within` counts.
    const limited =
      field === 'restart' && part === 'max' ? rebuild({ policy: 'on-failure', backoff: { initial: '2s' } }) : without;
    const full =
      field === 'restart' && part === 'max'
        ? rebuild({ policy: 'on-failure', max: 4, backoff: { initial: '2s' } })
        : rebuild(VALUES[field]);
    expect(await shown(full, options)).not.toBe(await shown(limited, options));
  });

  test.each(Object.entries(TOP_VALUES))('top-level `%s` changes the output or the report', async (field, value) => {
    const grouped = field === 'groups' ? { group: 'first' } : {};
    const services = { base, one: { command: ['/usr/bin/program'], ...grouped } };
    if (field === 'groups') return; // The order of stages is in the edges; `group` above shows it.
    expect(await shown({ services, [field]: value }, options)).not.toBe(await shown({ services }, options));
  });
});

/** Options that each probe of a target has to have, or to report. */
const OPTIONS = { timeout: '7s', successes: 2, continuous: true };
const HTTP = {
  host: '127.0.0.2',
  port: 8123,
  status: 204,
  headers: { A: 'b' },
  body: 'z',
  contains: 'c',
  matches: 'm',
  not_matches: 'n',
  json: { path: 'a' },
  method: 'POST',
  socket: '/s',
};

describe.each(PER_SERVICE)('a probe in %s', (_form, options) => {
  const withProbe = (probe: object) => ({
    services: { a: { command: ['a'], port: 8000, ready: probe }, b: { command: ['b'], depends_on: { a: 'ready' } } },
  });
  const plain = { http: { path: '/x', port: 8000 }, interval: '9s' };
  test.each(Object.entries(OPTIONS))('`%s` changes the output or the report', async (option, value) => {
    const after = await shown(withProbe({ ...plain, [option]: value }), options);
    expect(after).not.toBe(await shown(withProbe(plain), options));
  });
  test.each(Object.entries(HTTP))('`http.%s` changes the output or the report', async (option, value) => {
    const http = option === 'socket' ? { path: '/x', socket: value } : { ...plain.http, [option]: value };
    const after = await shown(withProbe({ ...plain, http }), options);
    expect(after).not.toBe(await shown(withProbe(plain), options));
  });
});

describe('examples', () => {
  const cases = PER_SERVICE.flatMap(([form, options]) =>
    EXAMPLES.map(([name, text]) => [`${form}: ${name}`, text, options] as const),
  );
  test.each(cases)('each field that is removed is noticed: %s', async (_title, text, options) => {
    const file = parseDocument(text, { merge: true }).toJS() as {
      services: Record<string, Record<string, unknown>>;
    };
    const before = await shown(file, options);
    const silent: string[] = [];
    const hasOneOrder = options.format === 'kubernetes' || options.format === 'nosana';
    for (const [key, service] of Object.entries(file.services)) {
      // A service that the output does not contain is reported as a whole.
      if (before.includes(`not carried over: the service ${key}:`)) continue;
      for (const field of Object.keys(service)) {
        // One order stands for stages and dependencies, with or without the one that is removed.
        if (field === 'command' || (hasOneOrder && (field === 'group' || field === 'depends_on'))) continue;
        // Nothing waits for it, and it ends nothing: what starts it by hand runs it once, as a service or a task.
        if (options.format === 'compose' && field === 'type' && service.start === 'manual') continue;
        const { [field]: _removed, ...rest } = service;
        const changedFile = { ...file, services: { ...file.services, [key]: rest } };
        // Without its port a probe has none: then the file is wrong.
        const after = await shown(changedFile, options).catch(() => null);
        if (after === before) silent.push(`${key}.${field}`);
      }
    }
    expect(silent).toEqual([]);
  });
});
