// Definition files of Apptainer: which lines belong to which section, and of several stages the last one.
import { expect, test } from 'bun:test';
import { readDefinition } from '../../../src/convert/import/definition-file.ts';

const read = (text: string) => {
  const { header, sections } = readDefinition({ path: 'chat.def', text });
  return {
    header: Object.fromEntries(header),
    sections: Object.fromEntries([...sections].map(([name, section]) => [name, section.text])),
  };
};

test('a definition is its header and its sections', () => {
  expect(read('Bootstrap: docker\nFrom: python:3.12\n\n%environment\n  A=1\n\n%runscript\n  exec serve\n')).toEqual({
    header: { bootstrap: 'docker', from: 'python:3.12' },
    sections: { environment: '  A=1', runscript: '  exec serve' },
  });
});

test('sections of one name are appended', () => {
  expect(read('From: a\n%runscript\n  one\n\n%labels\n\n%runscript\n  two\n').sections).toEqual({
    runscript: '  one\n  two',
    labels: '',
  });
});

test('of several stages the last one is read, and its header is no text of a section', () => {
  const first = 'Bootstrap: docker\nFrom: golang:1.26\nStage: build\n\n%post\n  go build\n\n%runscript\n  wrong\n';
  const last =
    'Bootstrap: docker\nFrom: debian:13\nStage: final\n\n%files from build\n  /app\n%startscript\n  exec /app\n';
  expect(read(`${first}\n${last}`)).toEqual({
    header: { bootstrap: 'docker', from: 'debian:13', stage: 'final' },
    sections: { files: '  /app', startscript: '  exec /app' },
  });
});
