// Programs that go into the background by themselves, and how they are kept in the foreground, where they can be supervised.

/** What to write for a command that would daemonize; null: it does not, as far as is known. */
export function foregroundAdvice(words: readonly string[]): string | null {
  const [first = '', ...rest] = words;
  const program = first.replace(/^.*\//, '');
  const line = words.join(' ');
  if (program === 'service' || program === 'systemctl' || program === 'rc-service' || /^\/etc\/init\.d\//.test(first)) {
    const name =
      program === 'systemctl'
        ? rest.find((word) => !/^(?:-|start|restart|enable|daemon-reload)/.test(word))
        : /^\/etc/.test(first)
          ? program
          : rest[0];
    return foregroundOf(name ?? '') ?? `start the program of ${name ?? 'the service'} directly, in the foreground`;
  }
  if (program === 'nginx')
    return /daemon off/.test(line) || rest.includes('-t') || rest.includes('-s') ? null : foregroundOf('nginx');
  if (program === 'sshd') return rest.some((word) => /^-\w*[Dt]/.test(word)) ? null : foregroundOf('sshd');
  if (program === 'cron' || program === 'crond')
    return rest.some((word) => /^-\w*[fn]/.test(word)) ? null : foregroundOf(program);
  if (/^php-fpm/.test(program))
    return rest.some((word) => /^(?:-F|--nodaemonize|-t)$/.test(word))
      ? null
      : `run it in the foreground: \`${program} -F\``;
  if (program === 'redis-server') return /--daemonize[ =]yes/.test(line) ? foregroundOf('redis-server') : null;
  if (program === 'apachectl' || program === 'apache2ctl')
    return /FOREGROUND/.test(line) ? null : `run it in the foreground: \`${program} -D FOREGROUND\``;
  if (program === 'supervisord')
    return rest.includes('-n') ? null : 'import its configuration as well: `svc-super import supervisord`';
  return null;
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
  const found = commands[name];
  return found === undefined ? null : `run it in the foreground: \`${found}\``;
}
