// The configuration of a soak: loops that exit in every possible way without a pause, services whose probes run without pauses,
// services that print a given number of lines. Pure: amounts and places in, a configuration out.

/** The amounts of work: the arguments of `npm run soak`. */
export interface Amounts {
  readonly restarts: number;
  readonly lines: number;
  readonly probes: number;
  readonly calls: number;
}

export const KINDS = ['restarts', 'lines', 'probes', 'calls'] as const satisfies readonly (keyof Amounts)[];

/** The full amounts, which the project promises to have tested. */
export const WHOLE: Amounts = { restarts: 200_000, lines: 10_000_000, probes: 1_000_000, calls: 100_000 };

export interface Places {
  readonly folder: string;
  /** A port of the loopback with an HTTP server. */
  readonly port: number;
  /** A free port of the loopback for the supervisor's own listener. */
  readonly control: number;
}

const again = (wait: string) => ({ policy: 'always', backoff: { initial: wait, max: wait, factor: 1 } });
/** Chosen so that all restarts take about as long as all probes. */
const restart = again('90ms');

/** Ways to start and exit. */
const LOOPS: Readonly<Record<string, object>> = {
  'loop-quick-a': { command: ['/bin/true'], restart: again('1ms') },
  'loop-quick-b': { command: ['/bin/true'], restart: again('20ms') },
  'loop-fails': { command: ['/bin/false'] },
  'loop-signal': { command: ['/bin/sh', '-c', 'kill -9 $$'] },
  'loop-says': { command: ['/bin/echo', 'one line and gone'] },
  'loop-matches': { command: ['/bin/echo', 'one line that is waited for'], ready: { log: 'waited' } },
  // Its child outlives it, and is cleaned up each time.
  'loop-leaves': { command: ['/bin/sh', '-c', 'sleep 1000 & exit 3'] },
  'loop-notifies': { command: ['/bin/sh', '-c', 'echo >&3'], ready: { notify: { fd: 3 } } },
  // It could send READY=1 to a socket and never does.
  'loop-silent': { command: ['/bin/true'], ready: { notify: true } },
  'loop-probed': { command: ['/bin/true'], ready: { file: '/' } },
  'loop-counted': { command: ['/bin/true'], restart: { ...restart, max: 1_000_000, within: '2s' } },
  'loop-prepared': { command: ['/bin/true'], umask: '022' },
  'loop-missing': { command: ['/no/such/program'] },
};

const stays = ['/bin/sleep', '1000000'];

function probed({ port, folder }: Places): Readonly<Record<string, object>> {
  const common = { interval: '10ms', failures: 1_000, timeout: '20s' };
  const http = { host: '127.0.0.1', port, path: '/good' };
  const kinds: Readonly<Record<string, { readonly count: number; readonly fields: object }>> = {
    file: { count: 5, fields: { live: { file: '/', ...common } } },
    tcp: { count: 5, fields: { live: { tcp: port, ...common } } },
    http: { count: 5, fields: { live: { http, ...common } } },
    several: {
      count: 1,
      fields: {
        live: [
          { file: '/', ...common },
          { tcp: port, ...common },
          { http, ...common },
        ],
      },
    },
    // Alternates between ready and not ready.
    flaps: { count: 1, fields: { ready: { http: { ...http, path: '/flaps' }, continuous: true, interval: '10ms' } } },
    fails: { count: 1, fields: { live: { file: `${folder}/is-not-there`, ...common, failures: 500 }, restart } },
    // Each attempt is a process.
    exec: { count: 1, fields: { live: { exec: ['/bin/true'], ...common, interval: '50ms' } } },
  };
  return Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, { count, fields }]) =>
      Array.from({ length: count }, (_, index) => [`probe-${kind}-${index}`, { command: stays, ...fields }]),
    ),
  );
}

/** Prints numbered lines up to the number in a file, and waits for a larger number. */
const PRINTER = `$| = 0; my ($file, $done) = (shift, 0);
while (1) {
  my $wanted = 0;
  if (open(my $in, "<", $file)) { $wanted = int(<$in> || 0) }
  for (; $done < $wanted; $done++) { printf "%010d INFO 127.0.0.1 POST /v1/chat/completions HTTP/1.1 200 OK\\n", $done }
  { local $| = 1; print "" }
  select undef, undef, undef, 0.05;
}`;

/** The services that print, and their shares of all lines. */
export const PRINTERS: Readonly<Record<string, number>> = { 'print-text': 0.6, 'print-json': 0.2, 'print-file': 0.2 };

export const quotaOf = (folder: string, name: string): string => `${folder}/${name}.quota`;

function printing({ folder }: Places): Readonly<Record<string, object>> {
  const command = (name: string) => ['/usr/bin/perl', '-e', PRINTER, quotaOf(folder, name)];
  return {
    'print-text': { command: command('print-text') },
    'print-json': { command: command('print-json'), log: { format: 'json' } },
    'print-file': {
      command: command('print-file'),
      log: { drop: ['^$'], file: { path: `${folder}/print.log`, max_size: '1MiB', keep: 2 } },
    },
  };
}

export function configuration(places: Places): object {
  const services = {
    ...Object.fromEntries(Object.entries(LOOPS).map(([name, fields]) => [name, { restart, ...fields }])),
    ...probed(places),
    ...printing(places),
    // The target of the calls, so that they stop nothing that is counted.
    'called-a': { command: stays, group: 'called' },
    'called-b': { command: stays, group: 'called' },
  };
  return {
    exit: 'all',
    stop_timeout: '5s',
    control: { http: { listen: places.control } },
    defaults: { essential: false },
    services,
  };
}
