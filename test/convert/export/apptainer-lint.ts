// What Apptainer's parser of definition files accepts: keys of the header and names of sections (apptainer.org,
// definition_files.html). Apptainer itself is in no package of Debian.
import { validate } from '../oracle.ts';

const KEYS = new Set('bootstrap from includecmd mirrorurl updateurl osversion include stage product user'.split(' '));
const SECTIONS = new Set(
  'help setup files labels environment post runscript test startscript arguments pre'.split(' '),
);
const SCRIPTS = new Set(['setup', 'environment', 'post', 'runscript', 'test', 'startscript']);

/** What is wrong with a definition; empty for a good one. Scripts go through `sh -n`. */
export function lintDefinition(text: string): readonly string[] {
  const [header = '', ...sections] = text.split(/^%/m);
  const problems = header
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .flatMap((line) => (KEYS.has(/^(\w+): \S/.exec(line)?.[1]?.toLowerCase() ?? '') ? [] : [`header: ${line}`]));
  if (!/^bootstrap:/im.test(header)) problems.push('there is no Bootstrap');
  for (const section of sections) {
    const [first = '', ...lines] = section.split('\n');
    const [name = ''] = first.split(/\s/, 1);
    if (!SECTIONS.has(name)) problems.push(`there is no section %${name}`);
    if (name === 'files') {
      const wrong = lines.filter(
        (line) => line.trim() !== '' && !line.trim().startsWith('#') && !/^\s+\S+ \S+$/.test(line),
      );
      problems.push(...wrong.map((line) => `%files: ${line}`));
    }
    if (!SCRIPTS.has(name)) continue;
    try {
      validate('sh', name, lines.join('\n'));
    } catch (error) {
      problems.push(String(error));
    }
  }
  return problems;
}
