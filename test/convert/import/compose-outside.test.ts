// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Settings of a Compose file that become options of one `docker run` line.
import { expect, test } from 'bun:test';
import { importText, lines } from './rig.ts';

/** The options of the `docker run` line for a service with these fields. */
async function optionsOf(fields: string, top = ''): Promise<string> {
  const result = await importText(
    'compose',
    `services:\n  web:\n    image: app\n    command: run\n    ${fields}\n${top}`,
  );
  if (!result.ok) throw new Error(result.message);
  return /`docker run (.*) IMAGE`/.exec(lines(result.findings).join('\n'))?.[1] ?? '';
}

test.each([
  ['volumes: [{type: bind, source: ./a, target: /a, read_only: true}]', '-v ./a:/a:ro'],
  ['volumes: [{type: bind, source: ./a, target: /a}]', '-v ./a:/a'],
  ['volumes: [{type: bind, source: "${DATA:-./a}", target: "/a"}]', '-v ./a:/a'],
  ['ports: [{target: 80, host_ip: "${IP:-127.0.0.1}"}]', '-p 127.0.0.1::80'],
  ['volumes: [{type: volume, target: /a, read_only: true}]', '-v /a'],
  ['volumes: [{type: tmpfs, target: "/a b"}]', "--tmpfs '/a b'"],
  ['ports: [{target: 80, host_ip: 127.0.0.1}]', '-p 127.0.0.1::80'],
  ['ports: [{target: 80, host_ip: "::1", published: "8080"}]', "-p '[::1]:8080:80'"],
  ['ports: [{target: 80}]', '-p 80'],
  ['hostname: $$(reboot)', "--hostname '$(reboot)'"],
  ['tmpfs: "/run:size=64m; x"', "--tmpfs '/run:size=64m; x'"],
  ['sysctls: {net.core.somaxconn: 1024}', '--sysctl net.core.somaxconn=1024'],
  ['extra_hosts: ["a b=1.2.3.4"]', "--add-host 'a b:1.2.3.4'"],
  ['privileged: true', '--privileged'],
  ['deploy: {resources: {limits: {cpus: "0.5; x", pids: 50}}}', "--cpus '0.5; x' --pids-limit 50"],
])('%s becomes %s', async (fields, options) => {
  expect(await optionsOf(fields)).toBe(options);
});

test('a secret is mounted from the file that the top level gives, and not if it is no file', async () => {
  const top = 'secrets: {key: {file: ./conf/key.txt}, env: {environment: X}}\nconfigs: {web: {file: web.conf}}\n';
  expect(await optionsOf('secrets: [key, {source: key, target: /k}, env]', top)).toBe(
    '-v ./conf/key.txt:/run/secrets/key:ro -v ./conf/key.txt:/k:ro',
  );
  expect(await optionsOf('secrets: [{source: "${S:-key}", target: "${T:-/k}"}]', top)).toBe('-v ./conf/key.txt:/k:ro');
  expect(await optionsOf('configs: [{source: web, target: /etc/web.conf}]', top)).toBe(
    '-v ./web.conf:/etc/web.conf:ro',
  );
  expect(await optionsOf('secrets: [env]', top)).toBe('');
});
