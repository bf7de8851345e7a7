// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The table as documentation and as JSON Schema: complete, and consistent with what loading accepts.
import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { renderDiagnostics } from '../../src/config/diagnostic.ts';
import { reference, SECTIONS } from '../../src/config/reference.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { violations } from './json-schema.ts';
import { load, oneService, planOf } from './rig.ts';

const SPEC_EXAMPLE = `
name: chat                          # shown in status; default: the file's folder
exit: first                         # first | failure | all              (section 4)
stop_timeout: 9s                    # ONE deadline for the whole shutdown; docker's own is 10 s
env: { HF_HOME: /models }           # for every service
env_file: [/etc/chat.env]
defaults: { restart: never }        # any service field; a service's own value wins
groups: [infrastructure, application]   # order of the stages; default: order of first use
hosts: false                        # true: every service's name resolves to 127.0.0.1 (lines in /etc/hosts)

services:
  vllm:
    command: vllm serve deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B --served-model-name R1-Qwen-1.5B --port 9000
    port: 9000
    gpus: 1
    ready:
      http: { path: /v1/models, json: { path: data.0.id, equals: R1-Qwen-1.5B } }
    start_timeout: 30m
    success_codes: []               # vLLM exits 0 when its engine dies: never a success
  open-webui:
    command: [open-webui, serve, --port, "8000"]
    port: 8000
    env: { OPENAI_API_BASE_URL: "http://127.0.0.1:9000/v1" }
    depends_on: { vllm: ready }
    ready: { http: { path: /health, json: { path: status, equals: true } } }
`;

/** A file with every field. */
const EVERYTHING = `
name: all
exit: failure
hosts: true
stop_timeout: 1m
stop_signals: [TERM, WINCH, RTMIN+3]
env: { A: text, B: 1, C: true, D: { file: /run/secrets/d } }
include: { path: "conf.d/*.yaml", required: false }
env_file: { path: top.env, required: false }
groups: [one, two]
x-anything: { at: all }
control: { http: { listen: "0.0.0.0:9100", token: { file: /run/secrets/d }, open: [healthz], hosts: [ops.example] } }
log: { level: warn }
supervisor: { hung_after: off, stop_wait: 1s, longest_pause: 1s, deaths_starting: 3, deaths_young: 9 }
defaults: { restart: { policy: on-failure, max: 3, within: 1m, backoff: { initial: 1s, max: 2s, factor: 1.5 } } }
services:
  nightly: { command: run, type: task, schedule: "0 3 * * *", time_zone: Europe/Berlin, catch_up: true }
  often: { command: run, type: task, every: 10m, overlap: queue, jitter: 30s }
  a:
    command: run
    type: task
    enabled: \${ENABLE_A:-true}
    start: auto
    group: one
    start_timeout: \${T:-10s}
    start_stall: off
    success_codes: [0, 2]
    essential: false
    stop: { signal: INT, timeout: 5s, to: group, command: [stop, it], leftover_timeout: 3s }
    forward: { HUP: QUIT }
    env_file: [a.env, { path: b.env, required: false }]
    env_inherit: [PATH, "RAY_*"]
    cwd: /srv
    user: 1000:1000
    umask: "0022"
    nice: \${NICE:-5}
    oom_score_adj: 100
    cpus: "0-3, 8"
    limits: { nofile: 65536, memlock: unlimited, core: { soft: 0, hard: 1GiB } }
    log:
      { prefix: false, format: json, time: true, when_full: drop, ansi: strip, merge: false, drop: [x], file: { path: a.log, max_size: 1MiB, keep: 3, compress: true }, stderr_file: { path: a.err } }
  b:
    command: [run, 1, true]
    group: two
    depends_on: { a: completed }
    ports: [80, "\${P:-443}"]
    env_inherit: none
    restart: never
    stop: SIGTERM
    forward: [HUP, 10]
    ready:
      - http: { url: "http://127.0.0.1:80/", method: POST, headers: { A: b }, body: x, status: [200, "300-399"], contains: x, matches: "^x", not_matches: y }
        timeout: 1s
        successes: 2
        continuous: true
      - http: { scheme: https, host: "::1", port: 1, path: /x, verify_tls: false, json: { path: a, equals: [1, { b: null }] } }
      - http: { socket: /run/x.sock }
      - http: /health
      - tcp: 5
        start_interval: 2s
      - tcp: { socket: /run/x.sock }
      - tcp: "127.0.0.1:5"
      - tcp: true
      - exec: [check]
      - log: ready
      - file: /ready
      - notify: true
      - notify: { fd: 3 }
    live: { exec: check, failures: 2, interval: 30s, timeout: 2s }
  c:
    command: run
    depends_on: [a, b]
    port: 8080
    start_stall: 5m
    replicas: 3
    venv: venv
    gpus: { count: 1, optional: true, min_free: 20GiB, free_timeout: 2m, on_lost: restart }
  leaky: { command: run, max_memory: 2GiB, on_exceed: warn, memory_limit: 3GiB, oom_group: false }
  i: { command: run, gpus: { devices: [0, GPU-8932f937] } }
  e: { command: run, gpus: { share: all } }
  f: { command: run, gpus: [0, "MIG-8932f937"] }
  g: { command: run, gpus: all, profiles: [debug] }
  h: { command: run, gpus: "\${GPUS:-0}" }
  d:
    command: run
    hooks:
      before_start: prepare
      after_ready: { command: [warm], timeout: 10s }
      before_stop: { wait_for: { http: "http://127.0.0.1:1/idle", interval: 1s }, timeout: 10s }
      after_exit: [clean]
  j: { command: run, depends_on: { c: { condition: started, any: 2, restart: true } }, replicas: "\${COPIES:-1}" }
`;
const FILES = {
  '/etc/chat.env': 'X=1\n',
  '/run/secrets/d': 'secret\n',
  '/app/a.env': '',
  '/app/venv': null,
  '/app/venv/bin/python': '',
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
};

describe("the specification's example", () => {
  test('loads, and only warns about its unused groups', () => {
    const loaded = load(SPEC_EXAMPLE, { files: FILES });
    expect(loaded.ok && loaded.value.warnings.map(({ message }) => message)).toEqual([
      'no service is in the group `infrastructure`',
      'no service is in the group `application`',
    ]);
  });

  test('results in the plan that it describes', () => {
    const { services, ...plan } = planOf(SPEC_EXAMPLE, { files: FILES, environment: { PATH: '/bin' } });
    const [vllm, webui] = services;
    expect(plan).toMatchObject({ name: 'chat', exit: 'first', stopTimeout: 9000 });
    expect(vllm).toMatchObject({ successCodes: [], ports: [9000], startTimeout: 1_800_000, edges: [] });
    expect(vllm?.argv.slice(0, 2)).toEqual(['/bin/sh', '-c']);
    expect(vllm?.ready[0]).toMatchObject({
      kind: 'http',
      port: 9000,
      path: '/v1/models',
      json: { path: 'data.0.id', equals: 'R1-Qwen-1.5B' },
    });
    expect(webui?.argv).toEqual(['open-webui', 'serve', '--port', '8000']);
    expect(webui?.edges).toEqual([{ on: 'vllm', condition: 'ready', origin: 'declared' }]);
    expect(webui?.env as unknown).toEqual({
      PATH: '/bin',
      X: '1',
      HF_HOME: '/models',
      OPENAI_API_BASE_URL: 'http://127.0.0.1:9000/v1',
      PORT: '8000',
      SVC_NAME: 'open-webui',
      SPT_NOENV: '1',
    });
  });
});

describe('the JSON Schema', () => {
  const schema = jsonSchema() as Readonly<Record<string, unknown>>;

  test('accepts what loading accepts', () => {
    for (const text of [SPEC_EXAMPLE, EVERYTHING, 'services: { a: { command: run } }\n']) {
      const loaded = load(text, { files: FILES });
      expect(loaded.ok ? '' : renderDiagnostics(loaded.error)).toBe('');
      expect(violations(schema, parse(text, { merge: true }))).toEqual([]);
    }
  });

  test('uses every field of the table in this example', () => {
    const keys = new Set([...EVERYTHING.matchAll(/([a-z_]+):/g)].map(([, key]) => key ?? ''));
    const unused = SECTIONS.flatMap(({ fields }) => Object.keys(fields)).filter((key) => !keys.has(key));
    expect(unused).toEqual([]);
  });

  const wrong: readonly string[] = [
    'nmae: x\nservices: { a: { command: run } }',
    'services: { a: {} }',
    'services: {}',
    'name: x',
    'services: { "a b": { command: run } }',
    'exit: never\nservices: { a: { command: run } }',
    'stop_timeout: 10\nservices: { a: { command: run } }',
    'stop_timeout: 10 seconds\nservices: { a: { command: run } }',
    ...[
      'dependson: [b]',
      'gpus: 1.5',
      'gpus: some',
      'gpus: []',
      'gpus: { min_free: 1GiB }',
      'gpus: { count: 1, share: all }',
      'gpus: { count: 1, min_free: 20 }',
      'port: 80000',
      'port: "80"',
      'ports: 80',
      'nice: 20',
      'essential: maybe',
      'umask: 22',
      'umask: "9"',
      'cpus: 3',
      'restart: sometimes',
      'restart: { policy: always, retries: 3 }',
      'success_codes: [256]',
      'limits: { nofiles: 1 }',
      'limits: { nofile: { soft: 1 } }',
      'forward: HUP',
      'depends_on: b',
      'depends_on: { b: healthy }',
      'env: [A=b]',
      'env: { A: { fle: x } }',
      'ready: 5',
      'ready: { http: { prot: 1 } }',
      'ready: { http: { port: 1, status: 99 } }',
      'ready: { tcp: 70000 }',
      'ready: { notify: { fd: 2 } }',
      'ready: { retries: 3 }',
      'log: { format: xml }',
      'command: 5',
      'command: []',
    ].map((line) => (line.startsWith('command') ? oneService(line) : oneService('command: run', line))),
  ];
  for (const text of wrong) {
    test(`refuses ${JSON.stringify(text.replace('services:\n  a:\n    command: run\n    ', ''))}, as loading does`, () => {
      expect(load(text).ok).toBe(false);
      expect(violations(schema, parse(text))).not.toEqual([]);
    });
  }

  test('accepts a variable in place of a number or a word', () => {
    const text = oneService('command: run', 'port: ${P}', 'essential: ${E}', 'restart: "${R}"', 'start_timeout: ${T}');
    expect(violations(schema, parse(text))).toEqual([]);
  });

  test('contains patterns that every editor can compile', () => {
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) {
        if (key === 'pattern' && typeof inner === 'string') new RegExp(inner, 'u');
        if (key === 'patternProperties') for (const source of Object.keys(inner as object)) new RegExp(source, 'u');
        walk(inner);
      }
    };
    walk(schema);
  });

  test('is small enough for an editor to load', () => {
    expect(JSON.stringify(schema).length).toBeLessThan(60_000);
  });
});

describe('the reference', () => {
  test('documents every field of the table, with its default', () => {
    for (const { title, fields } of SECTIONS) {
      for (const [key, field] of Object.entries(fields)) {
        expect(`${title} ${key}: ${field.about}`.length).toBeGreaterThan(title.length + key.length + 8);
        expect(field.written === undefined ? field.otherwise : 'x').not.toBe('');
        expect(reference()).toContain(`| \`${key}\` | ${field.about.replaceAll('|', '\\|')}`);
      }
    }
  });

  test('has only defaults that the field itself accepts', () => {
    const written = SECTIONS.flatMap(({ fields }) => Object.values(fields)).filter(
      (field) => field.written !== undefined,
    );
    expect(written.length).toBeGreaterThan(30);
    for (const { about, fallback } of written) expect([about, fallback]).not.toEqual([about, undefined]);
  });

  test('in docs/reference.md is up to date', async () => {
    // UPDATE_DOCS=1 bun test test/config/schema.test.ts   updates the file.
    const file = Bun.file(new URL('../../docs/reference.md', import.meta.url));
    const text = await file.text();
    const [begin, end] = ['<!-- fields: made by reference(), do not edit -->\n', '<!-- end of fields -->\n'];
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end);
    expect(from).toBeGreaterThan(begin.length);
    expect(to).toBeGreaterThanOrEqual(from);
    const wanted = `\n${reference()}\n`;
    if (process.env.UPDATE_DOCS === '1') await Bun.write(file, text.slice(0, from) + wanted + text.slice(to));
    else expect(text.slice(from, to)).toBe(wanted);
  });
});
