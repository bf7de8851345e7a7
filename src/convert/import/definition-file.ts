// An Apptainer definition file as its sections: https://apptainer.org/docs/user/main/definition_files.html. Runs and
// builds nothing.
import type { Source } from '../../config/tree.ts';
import { sourceLines, sourceOf } from '../source-text.ts';

export interface DefinitionSection {
  /** The lines below `%name`, without those around that are empty. */
  readonly text: string;
  /** Offset of the heading; of several, the first. */
  readonly start: number;
}

/** Of several stages the last one: the others only give it files while the image is built. */
export interface Definition {
  readonly source: Source;
  /** `Bootstrap` and `From`, in lower case. */
  readonly header: ReadonlyMap<string, string>;
  readonly sections: ReadonlyMap<string, DefinitionSection>;
}

/** Apptainer appends sections of one name. */
const append = ({ text, start }: DefinitionSection, more: string): DefinitionSection => ({
  text: [text, more].filter((one) => one !== '').join('\n'),
  start,
});

/** Reads a definition file; never fails, since nothing of it has to be there. */
export function readDefinition(file: { readonly path: string; readonly text: string }): Definition {
  const source = sourceOf(file);
  const header = new Map<string, string>();
  const sections = new Map<string, DefinitionSection>();
  let open: { name: string; start: number; lines: string[] } | null = null;
  const close = (): void => {
    if (open === null) return;
    const text = open.lines.join('\n').replace(/^\s*\n|\s+$/g, '');
    const earlier = sections.get(open.name);
    sections.set(open.name, earlier === undefined ? { text, start: open.start } : append(earlier, text));
  };
  for (const { text: line, start } of sourceLines(source)) {
    const name = /^%(\w+)/.exec(line)?.[1]?.toLowerCase();
    if (open !== null && /^bootstrap\s*:/i.test(line)) {
      header.clear();
      sections.clear();
      open = null;
    }
    if (name !== undefined) {
      close();
      open = { name, start, lines: [] };
    } else if (open !== null) open.lines.push(line);
    else {
      const [, key, value = ''] = /^\s*(\w+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
      if (key !== undefined) header.set(key.toLowerCase(), value);
    }
  }
  close();
  return { source, header, sections };
}
