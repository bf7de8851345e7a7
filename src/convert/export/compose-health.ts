// `healthcheck` of Compose from `ready` probes. Docker runs it inside the service's container, so it is a command, and the image
// has to contain what the command uses.
import { formatDuration } from '../../config/quantity.ts';
import type { HttpProbe, Probe } from '../../plan/plan.ts';
import { quoteWord, quoteWords } from '../words.ts';
import { isUsualStatus } from './http-probe.ts';
import { changed, look, lost, type Reporter } from './report.ts';
import type { ExportService } from './source.ts';

/** Between two checks while a service starts, unless the probe gives its own. */
const START_INTERVAL = 1000;

/** The health check of a service; null where no probe can be written as a command. Reports what is lost. */
export function toHealthCheck(service: ExportService, reporter: Reporter): object | null {
  const { ready, key, config } = service;
  const commands = ready.flatMap((probe, index) => {
    const command = toCommand(probe);
    const path = ['services', key, 'ready', index];
    const what = `\`ready\` of ${key}`;
    if (command === null) {
      const why = `a health check cannot do what this \`${probe.kind}\` probe does`;
      reporter.add(path, what, lost(why, 'write an `exec`, `http` or `tcp` probe'));
      return [];
    }
    reportCommand(probe, (remark) => reporter.add(path, what, remark));
    if (probe.successes > 1) reporter.add(path, what, changed('one success is enough for Docker'));
    if (!probe.continuous) {
      const why = 'Docker goes on checking once a service is ready, and shows one that fails as unhealthy';
      reporter.addGeneral('health checks', changed(why));
    }
    return [command];
  });
  const [first] = ready;
  if (commands.length === 0 || first === undefined) return null;
  const alone = ready.length === 1 && first.kind === 'exec' ? first.argv : null;
  return {
    test: alone === null ? ['CMD-SHELL', commands.join(' && ')] : ['CMD', ...alone],
    interval: formatDuration(Math.max(...ready.map(({ interval }) => interval))),
    timeout: formatDuration(Math.max(1000, ...ready.map(({ timeout }) => timeout))),
    start_period: formatDuration(config.start_timeout),
    start_interval: formatDuration(first.startInterval ?? START_INTERVAL),
    retries: 1,
  };
}

function toCommand(probe: Probe): string | null {
  if (probe.kind === 'http') return toHttpCommand(probe);
  if (probe.kind === 'tcp')
    return probe.socket === null ? `nc -z ${probe.host} ${probe.port}` : `nc -zU ${quoteWord(probe.socket)}`;
  if (probe.kind === 'exec') return quoteWords(probe.argv);
  return probe.kind === 'file' ? `test -e ${quoteWord(probe.path)}` : null;
}

/** curl with everything of the probe that it can express. */
function toHttpCommand(probe: HttpProbe): string {
  const { scheme, host, port, path, socket, method, headers, body, verifyTls, timeout } = probe;
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const options = [
    '-gsS',
    '-m',
    String(Math.max(1, Math.round(timeout / 1000))),
    ...(verifyTls ? [] : ['-k']),
    ...(socket === null ? [] : ['--unix-socket', socket]),
    ...methodOptions(probe),
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    // Not `-d`, which reads a file if the text begins with `@`.
    ...(body === null || method === 'HEAD' ? [] : ['--data-raw', body]),
  ];
  const status = statusTest(probe);
  if (status !== null) {
    const request = quoteWords(['curl', ...options, '-o', '/dev/null', '-w', '%{http_code}', url]);
    return `case "$(${request})" in ${status}) true;; *) false;; esac`;
  }
  const tests = contentTests(probe);
  if (tests.length === 0) return quoteWords(['curl', '-f', ...options, '-o', '/dev/null', url]);
  return [`body="$(${quoteWords(['curl', '-f', ...options, url])})"`, ...tests].join(' && ');
}

function methodOptions({ method, body }: HttpProbe): readonly string[] {
  // With `-X HEAD`, curl would wait for the body that a HEAD never has.
  if (method === 'HEAD') return ['-I'];
  // curl sends a body by POST.
  return method === 'GET' && body === null ? [] : ['-X', method];
}

/** A pattern of the shell for the status; null for 200-399, which is what `curl -f` accepts. */
function statusTest(probe: HttpProbe): string | null {
  const { status, contains, matches, notMatches } = probe;
  if (contains !== null || matches !== null || notMatches !== null) return null;
  return isUsualStatus(probe) ? null : status.flatMap(([from, to]) => patternsOf(from, to)).join('|');
}

/** Patterns of the shell for a range of statuses: `2??` for a whole hundred. */
function patternsOf(from: number, to: number): readonly string[] {
  if (from > to) return [];
  const isHundred = from % 100 === 0 && to >= from + 99;
  return isHundred ? [`${from / 100}??`, ...patternsOf(from + 100, to)] : [`${from}`, ...patternsOf(from + 1, to)];
}

/** Commands that examine the answer in `$body`. */
function contentTests({ contains, matches, notMatches }: HttpProbe): readonly string[] {
  const grep = (option: string, pattern: string): string =>
    `printf '%s\\n' "$body" | grep ${option} -- ${quoteWord(pattern)}`;
  return [
    ...(contains === null ? [] : [grep('-qF', contains)]),
    ...(matches === null ? [] : [grep('-qP', matches)]),
    ...(notMatches === null ? [] : [`! ${grep('-qP', notMatches)}`]),
  ];
}

/** Reports what a command needs, and what it does not compare. */
function reportCommand(probe: Probe, add: (remark: ReturnType<typeof look>) => void): void {
  if (probe.kind === 'http') {
    const { json, contains, matches, notMatches } = probe;
    add(look('the health check runs `curl` in the container', 'the image has to contain curl'));
    if (json !== null)
      add(changed('the health check does not look into the JSON of the answer', 'write an `exec` probe'));
    const hasContent = contains !== null || matches !== null || notMatches !== null;
    if (hasContent && !isUsualStatus(probe))
      add(changed('beside a text, the health check accepts any status below 400'));
    if (matches !== null || notMatches !== null) add(look('grep -P reads the pattern, not RE2', 'check the pattern'));
  } else if (probe.kind === 'tcp') {
    add(look('the health check runs `nc` in the container', 'the image has to contain nc'));
  }
}
