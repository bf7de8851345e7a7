// Imports a start script of the kind `cmd & cmd & wait -n`: https://www.gnu.org/software/bash/manual/bash.html. What is not of
// a known kind is kept verbatim, as a task or a service, and reported. Runs nothing.
import { type FileDraft, makeDraft } from '../services-yaml.ts';
import { sourceOf } from '../source-text.ts';
import { Names } from './names.ts';
import { ShellScript } from './shell-script.ts';
import { placeEnvironment, type ScriptEnd, ShellState } from './shell-state.ts';
import { ShellWalk } from './shell-walk.ts';
import { placeWatchdogs } from './shell-watchdog.ts';
import { type Imported, type ImportInput, placeComment, Report } from './source.ts';

/** Imports a script. Fails where it has no commands. A script with mistakes is kept as one service. */
export function importShell(input: ImportInput): Imported {
  const report = new Report();
  const script = new ShellScript(sourceOf(input));
  const draft = makeDraft();
  const [error] = script.tree.errors ?? [];
  if (script.tree.commands.length === 0) return { ok: false, where: null, message: 'there are no commands in it' };
  if (error !== undefined) {
    const where = script.where(error);
    report.look(
      where,
      'the script',
      `it has a mistake here (${error.message}), so it is kept whole as one service`,
      'correct it and import it again',
    );
    draft.services.push({
      name: 'start',
      comments: [placeComment(where)],
      todo: [],
      fields: { command: [script.ownShell ?? 'sh', input.path] },
    });
    return { ok: true, draft, findings: report.findings };
  }
  reportBashisms(script, report);
  const state = new ShellState(script, report, new Names());
  const walk = new ShellWalk(state);
  walk.run(script.tree.commands, true);
  if (state.units.length === 0)
    return { ok: false, where: null, message: 'it starts no program that could be a service' };
  writeScriptEnd(walk.ending, state, draft);
  placeWatchdogs(state);
  const shared = placeEnvironment(state.units);
  if (Object.keys(shared).length > 0) draft.top.env = shared;
  draft.services = state.units.map(({ service }) => service);
  return { ok: true, draft, findings: report.findings };
}

/** Constructs of Bash that are often found under `#!/bin/sh`. `wait -n` is reported where it stands. */
const BASHISM = /(?<![\w$"'])(?:\[\[(?=\s)|source(?=\s+\S)|<<<|\{\d+\.\.\d+\})|\bpipefail\b/;

/** Reports the first construct that the shell of the script lacks in Debian. */
function reportBashisms(script: ShellScript, report: Report): void {
  if (!/^#!\s*\/(?:usr\/)?bin\/sh\b/.test(script.source.text)) return;
  for (const statement of script.tree.commands) {
    const [found] = BASHISM.exec(script.text(statement)) ?? [];
    if (found === undefined) continue;
    const why = '`/bin/sh` of Debian does not know it, and the commands that have it are run by `/bin/sh` here too';
    report.look(
      script.where(statement),
      `${found} under #!/bin/sh`,
      why,
      'begin the script with `#!/bin/bash` and import again',
    );
    return;
  }
}

/** `exit`, and which services end the container. */
function writeScriptEnd(ending: ScriptEnd, { units, report }: ShellState, draft: FileDraft): void {
  const background = units.filter(({ kind }) => kind === 'background');
  if (ending.kind === 'first' || ending.kind === 'all') {
    if (ending.kind === 'all') draft.top.exit = 'all';
    const { only } = ending;
    for (const unit of background) if (only !== null && !only.includes(unit)) unit.service.fields.essential = false;
    if (ending.kind === 'all' && background.length > 1) {
      report.changed(
        null,
        'wait',
        'the script exited with the code of its last `wait`; the container exits with the code of the first service that fails',
      );
    }
    return;
  }
  if (ending.kind === 'main') {
    for (const { service } of background) service.fields.essential = false;
    if (background.length > 0) {
      report.changed(
        null,
        'programs in the background',
        'the script did not notice their end, so `essential: false` is written',
        'remove it where the container should end when they fail',
      );
    }
    return;
  }
  if (background.length === 0) return;
  // `idle` (reported where the script idles) or `none`.
  draft.top.exit = 'all';
  if (ending.kind === 'none') {
    report.changed(
      null,
      'the end of the script',
      'it ends at once, and the programs in the background with it; here the container ends when all have ended',
    );
  }
}
