// The words of other systems (Docker, Compose, systemd, Kubernetes, supervisord, s6, process-compose, PM2) for fields and values,
// and the words to write instead. Used only for suggestions: none of them is accepted. A value is looked up in small letters
// with `-` for each `_`; a key as it is written, then by the closest one, so that `livenessProbe` finds `liveness_probe`.

type Words = Readonly<Record<string, string>>;

/** `restart`. */
export const OTHER_POLICIES: Words = {
  no: 'never',
  none: 'never',
  off: 'never',
  false: 'never',
  'exit-on-failure': 'never',
  'unless-stopped': 'always',
  yes: 'always',
  on: 'always',
  true: 'always',
  onfailure: 'on-failure',
  'on-abnormal': 'on-failure',
  'on-abort': 'on-failure',
  'on-watchdog': 'on-failure',
  unexpected: 'on-failure',
};

/** `start`. */
export const OTHER_STARTS: Words = {
  true: 'auto',
  yes: 'auto',
  on: 'auto',
  automatic: 'auto',
  always: 'auto',
  false: 'manual',
  no: 'manual',
  off: 'manual',
  never: 'manual',
  down: 'manual',
  hand: 'manual',
};

/** `type`. */
export const OTHER_TYPES: Words = {
  oneshot: 'task',
  'one-shot': 'task',
  once: 'task',
  job: 'task',
  init: 'task',
  initcontainer: 'task',
  'init-container': 'task',
  simple: 'service',
  exec: 'service',
  forking: 'service',
  notify: 'service',
  longrun: 'service',
  daemon: 'service',
  process: 'service',
};

/** `on_exceed`. */
export const OTHER_EXCESSES: Words = {
  kill: 'fail',
  stop: 'fail',
  exit: 'fail',
  log: 'warn',
  none: 'warn',
};

/** `exit`. */
export const OTHER_EXITS: Words = {
  any: 'first',
  one: 'first',
  'on-first': 'first',
  'on-failure': 'failure',
  failed: 'failure',
  error: 'failure',
  last: 'all',
  none: 'all',
  never: 'all',
};

/** `stop.to`. */
export const OTHER_STOP_TARGETS: Words = {
  process: 'main',
  pid: 'main',
  all: 'group',
  mixed: 'main',
  'control-group': 'group',
  pgid: 'group',
};

/** Keys of a service. */
export const OTHER_SERVICE_KEYS: Words = {
  after: 'it is called `depends_on`',
  args: 'it is part of `command`',
  autorestart: 'it is called `restart`',
  autostart: 'it is called `start`: `auto` or `manual`',
  build: 'services run in this image: there is nothing to build',
  cmd: 'it is called `command`',
  container_name: "the service's key is its name",
  concurrency_policy: 'it is called `overlap`',
  cpuset: 'it is called `cpus`',
  cron: 'it is called `schedule`',
  deploy: 'use `replicas`, `restart`, `gpus` and `memory_limit`; set a limit for processors on the container',
  directory: 'it is called `cwd`',
  entrypoint: 'it is part of `command`',
  environment: 'it is called `env`',
  exec: 'it is called `command`',
  expose: 'it is called `port` or `ports`',
  health: 'it is called `ready` (and `live`)',
  healthy: 'it is called `ready` (and `live`)',
  healthcheck: 'it is called `ready` (and `live`)',
  image: 'services run in this image: install the program into it',
  liveness: 'it is called `live`',
  liveness_probe: 'it is called `live`',
  logging: 'it is called `log`',
  max_memory_restart: 'it is called `max_memory`',
  mem_limit: 'it is called `memory_limit`',
  networks: 'services reach each other on 127.0.0.1, so their ports must differ',
  oneshot: 'write `type: task`',
  priority: 'order services with `depends_on`, or use `group`',
  readiness: 'it is called `ready`',
  readiness_probe: 'it is called `ready`',
  requires: 'it is called `depends_on`',
  restart_policy: 'it is called `restart`',
  shutdown: 'it is called `stop`',
  start_interval: 'it belongs in a probe: `ready: {http: …, start_interval: 1s}`',
  start_period: 'it is called `start_timeout`',
  startup_probe: 'it is called `ready`; `start_timeout` limits how long the start may take',
  stop_grace_period: 'it is called `stop: {timeout: …}`',
  stop_signal: 'it is called `stop: {signal: …}`',
  stop_timeout: 'for one service it is `stop: {timeout: …}`; `stop_timeout` is a top-level key',
  stopsignal: 'it is called `stop: {signal: …}`',
  stopwaitsecs: 'it is called `stop: {timeout: …}`',
  timezone: 'it is called `time_zone`',
  ulimits: 'it is called `limits`',
  volumes: 'services share one file system',
  working_dir: 'it is called `cwd`',
};
