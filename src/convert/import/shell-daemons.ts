// Programs that go into the background by themselves, and how they are kept in the foreground, where they can be supervised.
import { meaningOf } from '../words.ts';

/** What to write for a command that would daemonize; null: it does not, as far as is known. */
export function foregroundAdvice(words: readonly string[]): string | null {
  const [first = '', ...rest] = words;
  const program = first.replace(/^.*\//, '');
  const line = words.join(' ');
  const initCommand = readInitCommand(first, rest);
  if (initCommand !== null) {
    const { verb, name } = initCommand;
    if (!STARTS.has(verb)) return null;
    return foregroundOf(name) ?? `start the program of ${name} directly, in the foreground`;
  }
  if (program === 'nginx')
    return /daemon off/.test(line) || rest.some((word) => NGINX_ENDS.test(word)) ? null : foregroundOf('nginx');
  if (program === 'sshd') return rest.some((word) => /^-\w*[Dt]/.test(word)) ? null : foregroundOf('sshd');
  if (program === 'cron' || program === 'crond')
    return rest.some((word) => /^-\w*[fn]/.test(word)) ? null : foregroundOf(program);
  if (/^php-fpm/.test(program))
    return rest.some((word) => /^(?:-F|--nodaemonize|-t)$/.test(word))
      ? null
      : `run it in the foreground: \`${program} -F\``;
  if (program === 'redis-server') return /--daemonize[ =]yes/.test(line) ? foregroundOf('redis-server') : null;
  if (program === 'apachectl' || program === 'apache2ctl')
    return /FOREGROUND/.test(line) || rest.some((word) => APACHE_ENDS.test(word))
      ? null
      : `run it in the foreground: \`${program} -D FOREGROUND\``;
  if (program === 'supervisord')
    return rest.some((word) => /^-\w*n|^--nodaemon$/.test(word))
      ? null
      : 'import its configuration as well: `svc-super import supervisord`. Or run it in the foreground: `supervisord -n`';
  return null;
}

/** Options with which nginx does one thing and ends: `-t`, `-T`, `-v`, `-V`, `-h`, `-s reload`. */
const NGINX_ENDS = /^-[tTvVhs?]/;
/** Arguments with which apachectl starts nothing: requests to a server that runs, and those that show or test something. */
const APACHE_ENDS = /^(?:stop|graceful-stop|status|fullstatus|configtest|help|-[tvVhlLSM])$/;

/** Verbs of an init system that start a service. */
const STARTS: ReadonlySet<string> = new Set(['start', 'restart', 'try-restart', 'reload-or-restart', 'enable']);

/** A command for an init system (`systemctl start x`, `service x start`, `/etc/init.d/x start`); null: it is none. */
function readInitCommand(
  first: string,
  rest: readonly string[],
): { readonly verb: string; readonly name: string } | null {
  const operands = rest.filter((word) => !word.startsWith('-'));
  const [one = '', other = ''] = operands;
  const program = first.replace(/^.*\//, '');
  if (program === 'systemctl') return { verb: one, name: other.replace(/\.service$/, '') };
  if (/^\/etc\/init\.d\//.test(first)) return { verb: one, name: program };
  return program === 'service' || program === 'rc-service' ? { verb: other, name: one } : null;
}

function foregroundOf(name: string): string | null {
  const commands: Readonly<Record<string, string>> = {
    nginx: "nginx -g 'daemon off;'",
    ssh: '/usr/sbin/sshd -D -e',
    sshd: '/usr/sbin/sshd -D -e',
    cron: 'cron -f',
    crond: 'crond -f',
    apache2: 'apache2ctl -D FOREGROUND',
    httpd: 'httpd -D FOREGROUND',
    'redis-server': 'redis-server --daemonize no',
    redis: 'redis-server --daemonize no',
    mysql: 'mysqld',
    mariadb: 'mariadbd',
    rsyslog: 'rsyslogd -n',
    dbus: 'dbus-daemon --system --nofork',
  };
  const found = meaningOf(commands, name);
  return found === undefined ? null : `run it in the foreground: \`${found}\``;
}
