// Texts of services.yaml, converted by every export: each must end in time, its output must be valid for its target, findings
// must lie in the text, and the report must contain no control characters.
import { validateJobDefinition } from '@nosana/types';
import { parseAllDocuments } from 'yaml';
import { exportServices } from '../../src/convert/export/export.ts';
import { type Finding as ExportFinding, renderFindings } from '../../src/convert/findings.ts';
import { FORMS, IMAGE } from '../../test/convert/export/rig.ts';
import { must, mustBeQuick, type Target, type Trial } from '../target.ts';
import { beginConfig, config } from './config.ts';

const PATH = 'services.yaml';
/** Limit of the processor time of one export, milliseconds. `length`: bytes of the text, and a share of its output, because one word can request 1,000 replicas. */
const mayTake = (length: number): number => 400 + length / 8;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const PARSERS: Readonly<Record<string, (text: string) => void>> = {
  nosana: (text) => {
    const verdict = validateJobDefinition(JSON.parse(text));
    must(
      verdict.success,
      () => `Nosana refuses a job: ${JSON.stringify(verdict.success ? null : verdict.errors[0]?.path)}`,
    );
  },
  compose: parseYaml,
  kubernetes: parseYaml,
  dockerfile: (text) => {
    const wrong = text.split('\n').find((line) => !/^(?:#|[A-Z]+ |$)/.test(line));
    must(wrong === undefined, 'a line of a Dockerfile is not an instruction');
  },
  systemd: (text) => {
    const wrong = text.split('\n').find((line) => !/^(?:#|\[\w+\]$|[A-Za-z]+=|$)/.test(line));
    must(wrong === undefined, 'a line of a quadlet is not a setting');
  },
  slurm: (text) => {
    must(text.startsWith('#!/bin/bash\n'), 'a batch script does not begin with its shell');
    must(text.includes('\nexec apptainer run '), 'a batch script does not execute Apptainer');
    must(text.lastIndexOf('#SBATCH') < text.indexOf('set -eu'), 'a directive follows a command');
  },
};

function parseYaml(text: string): void {
  for (const document of parseAllDocuments(text)) {
    must(document.errors.length === 0, () => `the output is not valid YAML: ${document.errors[0]?.code}`);
    document.toJS();
  }
}

function checkFindings(findings: readonly ExportFinding[], text: string): void {
  const lines = text.split('\n').length;
  for (const { where, what, why } of findings) {
    must(what.length > 0 && why.length > 0, 'a finding has no text');
    must(
      where === null || (where.line >= 1 && where.line <= lines && where.column >= 1),
      'a finding is outside of the text',
    );
  }
  must(!CONTROL.test(renderFindings(findings)), 'a report contains control characters');
}

class ExportTrial implements Trial {
  readonly #fresh: Trial;

  constructor(fresh: Trial) {
    this.#fresh = fresh;
  }

  fresh(): Uint8Array {
    return this.#fresh.fresh();
  }

  async attempt(input: Uint8Array): Promise<readonly string[]> {
    const text = Buffer.from(input).toString('utf8');
    const features: string[] = [];
    for (const [form, options] of FORMS) {
      const usual = { path: PATH, image: IMAGE, perService: false, oneContainer: false, recipe: null };
      const made = (result: Awaited<ReturnType<typeof exportServices>>) =>
        result.ok ? result.value.files.reduce((sum, { text }) => sum + text.length, 0) : 0;
      const result = await mustBeQuick(
        form,
        (one) => mayTake(input.length + made(one) / 16),
        () => exportServices({ ...usual, text, ...options }),
      );
      if (!result.ok) return result.error.diagnostics.map(({ code }) => code);
      const { files, findings } = result.value;
      checkFindings(findings, text);
      const [first] = files;
      must(first?.text.endsWith('\n') === true, `${form} does not end its last line`);
      PARSERS[options.format]?.(first.text);
      features.push(...findings.map(({ kind, what }) => `${form} ${kind} ${what.replace(/ of .*/, '').slice(0, 30)}`));
    }
    return [...new Set(features)];
  }

  end(): Promise<void> {
    return this.#fresh.end();
  }
}

export const exportTarget: Target = {
  about: 'texts of services.yaml, converted by every export',
  words: [...config.words, '$$', '$(X)', '127.0.0.1:80', 'gpus: all', 'replicas: 2'],
  pure: true,
  longest: 4 * 1_024,
  begin: async (dice) => new ExportTrial(beginConfig(dice, null)),
};
