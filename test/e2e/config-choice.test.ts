// The choice of the configuration: its places, the base of relative names, the services that a command line selects, and
// warnings.
import { expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { binary, isRoot, puppetCommand, supervisorFile, testWithRuntime, up, useRig } from '../helpers/rig.ts';
import { ConfigFolder } from '../helpers/trap-config.ts';

useRig();

const CONFIG_WRONG = 78;

/**
 * In a mount namespace, with its own root whose folders are the host's: the last two places are /etc/svc-super and /. Lines of
 * `path: ok` show which file was used.
 */
const LOOK = `
set -eu
root=$1 binary=$2 supervisor=$3
mount -t tmpfs tmpfs "$root"
mkdir "$root/proc" "$root/dev" "$root/etc" "$root/etc/svc-super" "$root/work" "$root/elsewhere"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for folder in usr bin lib lib64; do
  test -e "/$folder" || continue
  mkdir "$root/$folder"
  mount --rbind "/$folder" "$root/$folder"
done
touch "$root/svc-super" "$root/svc-super-supervisor"
mount --bind "$binary" "$root/svc-super"
mount --bind "$supervisor" "$root/svc-super-supervisor"
for file in work/services.yaml etc/svc-super/services.yaml services.yaml elsewhere/chosen.yaml; do
  printf 'services: {a: {command: "true"}}' > "$root/$file"
done
check() { chroot "$root" /usr/bin/env -i -C /work "$@" 2>&1 || echo "code $?"; }
check SVC_SUPER_CONFIG=/elsewhere/chosen.yaml /svc-super check
check SVC_SUPER_CONFIG=../elsewhere/chosen.yaml /svc-super check
check SVC_SUPER_CONFIG=/nowhere.yaml /svc-super check
check SVC_SUPER_CONFIG=/elsewhere/chosen.yaml /svc-super check -f services.yaml
check SVC_SUPER_CONFIG= /svc-super check
rm "$root/work/services.yaml"
check /svc-super check
rm "$root/etc/svc-super/services.yaml"
check /svc-super check
rm "$root/services.yaml"
check /svc-super check
check /svc-super
`;

// Without Node in the new root.
testWithRuntime('the file is that of -f, else of SVC_SUPER_CONFIG, else the first of three places', async () => {
  using folder = new ConfigFolder();
  mkdirSync(folder.in('root'));
  const alone = isRoot ? [] : ['--user', '--map-root-user'];
  const files = [folder.in('root'), binary, supervisorFile];
  const child = Bun.spawn(['unshare', ...alone, '--mount', 'sh', '-c', LOOK, 'look', ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const nothing = [
    'svc-super: there is no configuration: searched ./services.yaml, /etc/svc-super/services.yaml, /services.yaml;' +
      ' specify one with -f FILE or SVC_SUPER_CONFIG',
    `code ${CONFIG_WRONG}`,
  ];
  expect(errors).toBe('');
  expect(text.trimEnd().split('\n')).toEqual([
    '/elsewhere/chosen.yaml: ok, 1 service',
    '/elsewhere/chosen.yaml: ok, 1 service',
    '/nowhere.yaml:1:1: error: cannot read /nowhere.yaml: there is no such file',
    `code ${CONFIG_WRONG}`,
    '/work/services.yaml: ok, 1 service',
    '/work/services.yaml: ok, 1 service',
    '/etc/svc-super/services.yaml: ok, 1 service',
    '/services.yaml: ok, 1 service',
    ...nothing,
    ...nothing,
  ]);
});

test('-f is relative to the working directory, and names in the file are relative to the file', async () => {
  using folder = new ConfigFolder({ 'services.yaml': 'services: {wrong: {command: touch ran}}\n' });
  mkdirSync(folder.in('deep'));
  mkdirSync(folder.in('deep/er'));
  writeFileSync(folder.in('deep/a.env'), 'FROM_FILE=yes\n');
  writeFileSync(folder.in('deep/secret'), 'hush\n');
  writeFileSync(
    folder.in('deep/services.yaml'),
    'services: {a: {command: "exit 7", env_file: a.env, env: {T: {file: secret}}, cwd: er}}\n',
  );
  for (const [cwd, file] of [
    ['deep', 'services.yaml'],
    ['deep/er', '../services.yaml'],
    ['.', './deep/er/../services.yaml'],
  ] as const) {
    const { code, stdout } = await folder.run(['check', '-f', file], { cwd: folder.in(cwd) });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${folder.in('deep/services.yaml')}: ok, 1 service\n` });
  }
});

test('names on the command line start those services and their dependencies only', async () => {
  const services = {
    base: { command: puppetCommand },
    api: { command: puppetCommand, depends_on: { base: 'started' } },
    web: { command: puppetCommand, depends_on: ['api'] },
    other: { command: puppetCommand },
    third: { command: puppetCommand, depends_on: ['other'] },
  };
  for (const args of [
    ['api', 'base'],
    ['up', 'api'],
  ]) {
    await using run = await up({ services }, { args });
    await run.puppet('base');
    const api = await run.puppet('api');
    await run.state('api', 'ready');
    expect((await run.status()).services.map(({ name }) => name).sort()).toEqual(['api', 'base']);
    expect(['web', 'other', 'third'].filter((name) => run.hasCalled(name))).toEqual([]);
    await api.exit(5);
    await run.ends(5);
  }
});

test('an unknown name is an error before any spawn', async () => {
  using folder = new ConfigFolder({ 'services.yaml': 'services: {chat: {command: touch ran}}\n' });
  const { code, stderr } = await folder.run(['up', 'chta', 'chat']);
  expect(code).toBe(CONFIG_WRONG);
  expect(stderr).toContain(`there is no service \`chta\` in ${folder.in('services.yaml')}; did you mean \`chat\`?`);
  expect((await folder.run(['statsu'])).stderr).toContain('lists the commands; did you mean `status`?');
  expect(folder.isUntouched).toBe(true);
});

test('warnings are printed once at the start, and the services run', async () => {
  const config = 'groups: [unused]\nservices:\n  a: { command: [/bin/sh, -c, "exit 3", "&&", "exit 4"] }\n';
  await using run = await up(config);
  await run.ends(3);
  const warnings = run.lines.filter((line) => line.includes('warning: '));
  expect(warnings).toHaveLength(2);
  expect(run.output.text()).toMatch(/services\.yaml:1:10: .*no service is in the group `unused`/);
  expect(run.output.text()).toMatch(/services\.yaml:3:8: .*a list is executed without a shell: `&&` is passed to/);
});
