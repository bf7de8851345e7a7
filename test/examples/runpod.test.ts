// The pod for RunPod: the real sshd, and stand-ins for ComfyUI and JupyterLab at their ports and endpoints. What the
// variables of the pod switch on, what a session by ssh has of them, and what survives what.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Box, type Ended, healthy, skipBoxes, startBox } from './box.ts';
import { expectInOrder, missing, openFolder, until } from './stack.ts';

const skipped = skipBoxes('the example of RunPod', missing('sshd'), missing('ssh'), missing('ssh-keygen'));
const COMFYUI = 'http://127.0.0.1:8188';
const JUPYTER = 'http://127.0.0.1:8888';
const PASSWORD = "it's a pass; 'word' \"$HOME\"";

let folder = '';
let publicKey = '';

beforeAll(async () => {
  folder = await openFolder();
  if (skipped) return;
  await Bun.$`ssh-keygen -q -t ed25519 -N '' -C 'someone: #1' -f ${join(folder, 'key')}`;
  publicKey = readFileSync(join(folder, 'key.pub'), 'utf8').trim();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const start = (env: Readonly<Record<string, string>>, gpus = 1): Promise<Box> =>
  startBox({
    example: 'runpod',
    programs: { '/usr/local/bin/python': 'comfyui', '/usr/local/bin/jupyter': 'jupyter' },
    folders: ['workspace', 'opt/ComfyUI'],
    files: { '/etc/profile.d/rp_environment.sh': '. /etc/rp_environment\n' },
    env: { RUNPOD_POD_ID: 'pod-1', ...env },
    gpus,
  });

function ssh(box: Box, ...command: string[]): Promise<Ended> {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'LogLevel=ERROR'];
  const flags = options.flatMap((option) => ['-o', option]);
  return box.reach('ssh', '-i', join(folder, 'key'), ...flags, 'root@127.0.0.1', ...command);
}

describe.skipIf(skipped)('the pod for RunPod', () => {
  test('all three: a session has the environment of the pod, and ComfyUI none of its secrets', async () => {
    await using box = await start({ PUBLIC_KEY: publicKey, JUPYTER_PASSWORD: PASSWORD, LINES_OF: 'one\ntwo' });
    await healthy(box);

    expect(await box.status(`${JUPYTER}/api/status`)).toBe(403);
    const token = { headers: { authorization: `token ${PASSWORD}` } };
    expect((await box.fetch(`${JUPYTER}/api/status`, token)).status).toBe(200);
    expect(box.processes().filter(({ args }) => args.join(' ').includes('pass;'))).toEqual([]);
    const comfyui = /ComfyUI in \/opt\/ComfyUI with (.*)/.exec(box.output())?.[1]?.split(' ');
    expect(box.output()).not.toContain('on the processor');
    expect(comfyui).toContain('RUNPOD_POD_ID');
    expect(comfyui).not.toContain('JUPYTER_PASSWORD');
    expect(comfyui).not.toContain('PUBLIC_KEY');

    const command = await ssh(box, 'printenv', 'RUNPOD_POD_ID', 'JUPYTER_PASSWORD', 'HF_HOME');
    expect(command).toEqual({ code: 0, output: `pod-1\n${PASSWORD}\n/workspace/huggingface\n` });
    const login = await ssh(box, `bash -lc 'printenv LINES_OF JUPYTER_PASSWORD; printenv PORT SVC_NAME PUBLIC_KEY'`);
    expect(login).toEqual({ code: 1, output: `one\ntwo\n${PASSWORD}\n` });
    expect((await ssh(box, 'svc-super', 'status')).output).toMatch(/comfyui +ready/);

    // A picture is being made, and someone is logged in.
    await box.fetch(`${COMFYUI}/prompt`, { method: 'POST' });
    const session = ssh(box, 'echo', 'here;', 'sleep', '1000');
    await until('the session', () => box.processes().some(({ args }) => args.join(' ') === 'sleep 1000'));
    process.kill(box.pid, 'SIGTERM');
    expect(await box.exitCode).toBe(0);
    expect((await session).output).toContain('here');
    expect(box.processes()).toEqual([]);
    expectInOrder(box.output(), ['the picture is finished', 'ComfyUI leaves']);
    expect(box.output()).toContain('JupyterLab leaves');
    expect(box.output()).not.toContain('kex_exchange');
  }, 120_000);

  test('without the variables there is ComfyUI alone, and without a GPU it is told so', async () => {
    await using box = await start({ JUPYTER_PASSWORD: '' }, 0);
    await healthy(box);
    expect(box.output()).toContain('on the processor');
    expect(await box.status(`${JUPYTER}/api`)).toBe('closed');
    expect((await ssh(box, 'true')).output).toContain('Connection refused');
    process.kill(box.pid, 'SIGTERM');
    expect(await box.exitCode).toBe(0);
  }, 120_000);

  test('ComfyUI is killed: it comes again, and the pod and the session live on', async () => {
    await using box = await start({ PUBLIC_KEY: publicKey });
    await healthy(box);
    const session = ssh(box, 'until', 'test', '-e', '/tmp/go;', 'do', 'sleep', '0.05;', 'done;', 'echo', 'alive');
    const first = box.find('comfyui.ts').pid;
    process.kill(first, 'SIGKILL');
    await until('another ComfyUI', () => box.find('comfyui.ts').pid !== first);
    await healthy(box);
    await box.exec('touch', '/tmp/go');
    expect(await session).toEqual({ code: 0, output: 'alive\n' });
    process.kill(box.pid, 'SIGTERM');
    expect(await box.exitCode).toBe(0);
  }, 120_000);
});
