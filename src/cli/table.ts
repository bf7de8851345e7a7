// The table of commands, in the order of the help. Each has its own file, which is loaded when the command is used. The native
// program has the same names in native/commands.h, which scripts/native.ts writes.
import type { CommandTable } from './command.ts';

export const COMMANDS = {
  up: () => import('./commands/up.ts'),
  status: () => import('./commands/status.ts'),
  top: () => import('./commands/top.ts'),
  logs: () => import('./commands/logs.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  restart: () => import('./commands/restart.ts'),
  reload: () => import('./commands/reload.ts'),
  scale: () => import('./commands/scale.ts'),
  signal: () => import('./commands/signal.ts'),
  exec: () => import('./commands/exec.ts'),
  shell: () => import('./commands/shell.ts'),
  wait: () => import('./commands/wait.ts'),
  health: () => import('./commands/health.ts'),
  events: () => import('./commands/events.ts'),
  timeline: () => import('./commands/timeline.ts'),
  graph: () => import('./commands/graph.ts'),
  check: () => import('./commands/check.ts'),
  import: () => import('./commands/import.ts'),
  schema: () => import('./commands/schema.ts'),
  export: () => import('./commands/export.ts'),
  init: () => import('./commands/init.ts'),
  completion: () => import('./commands/completion.ts'),
  version: () => import('./commands/version.ts'),
  help: () => import('./commands/help.ts'),
} as const satisfies CommandTable;

export type CommandName = keyof typeof COMMANDS;
