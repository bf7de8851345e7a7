#!/usr/bin/env node
// Runs the svc-super of the package for this machine's platform. It is for the command line of a project (`npx svc-super
// check`). A container's ENTRYPOINT names the native file itself, because this process would stay beside it.
'use strict';
const { spawn } = require('node:child_process');
const { constants } = require('node:os');
const { dirname, join } = require('node:path');

const NOT_FOUND = 127;
/** Signals that ask a program to stop or to reload: the launcher passes them on. */
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGPWR'];

/** The folder of an installed package; null if it is not installed. */
function find(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
}

function usesGlibc() {
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}

/** The native program, or a message if there is none. */
function findProgram() {
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== 'linux-x64' && platform !== 'linux-arm64')
    return { message: `svc-super runs on Linux (x64, arm64), not on ${platform}. Run it in a container` };
  const name = `@svc-super/${platform}`;
  const [glibc, musl] = [find(name), find(`${name}-musl`)];
  const folder = glibc !== null && musl !== null ? (usesGlibc() ? glibc : musl) : (glibc ?? musl);
  if (folder !== null) return { program: join(folder, 'bin/svc-super') };
  return {
    message:
      `cannot find the package ${name}: optional dependencies were omitted, or node_modules was installed on another ` +
      'machine. Run `npm install --include=optional svc-super` here',
  };
}

const { program, message } = findProgram();
if (program === undefined) {
  process.stderr.write(`svc-super: ${message}\n`);
  process.exit(NOT_FOUND);
}
const child = spawn(program, process.argv.slice(2), { stdio: 'inherit' });
for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
child.on('error', ({ code }) => {
  process.stderr.write(`svc-super: cannot execute ${program} (${code}): it must be executable\n`);
  process.exit(NOT_FOUND - 1);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
