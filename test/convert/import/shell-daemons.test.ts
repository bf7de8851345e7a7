// Which commands go into the background by themselves.
import { expect, test } from 'bun:test';
import { foregroundAdvice } from '../../../src/convert/import/shell-daemons.ts';

const adviceFor = (line: string) => foregroundAdvice(line.split(' '));

test.each([
  ['systemctl start startup-check', 'startup-check'],
  ['systemctl enable --now enabler.service', 'enabler'],
  ['service foo start', 'foo'],
  ['rc-service foo restart', 'foo'],
  ['service constructor start', 'constructor'],
  ['/etc/init.d/foo start', 'foo'],
])('%s starts %s', (line, name) => {
  expect(adviceFor(line)).toBe(`start the program of ${name} directly, in the foreground`);
});

test.each([
  'systemctl stop foo',
  'systemctl reload nginx',
  'systemctl daemon-reload',
  'service nginx reload',
  '/etc/init.d/foo stop',
  'supervisord --nodaemon',
  'supervisord -c a.conf -n',
  'service constructor stop',
  'nginx -v',
  'nginx -T',
  'nginx -s reload',
  'apachectl configtest',
  'apache2ctl -k graceful-stop',
  'apachectl stop',
])('%s starts nothing in the background', (line) => {
  expect(adviceFor(line)).toBeNull();
});

test('a program with a known foreground form', () => {
  expect(adviceFor('service nginx start')).toContain("nginx -g 'daemon off;'");
  expect(adviceFor('supervisord -c a.conf')).toContain('supervisord -n');
});
