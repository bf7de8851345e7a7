// The image of a service of a Compose file, among those that `docker image inspect` printed.
import { expect, test } from 'bun:test';
import { findImage, readImages, variablesOf } from '../../../src/convert/import/compose-image.ts';

test('an image that was built is found by the name of its service, and of no longer name', () => {
  const text = JSON.stringify([
    { RepoTags: ['project-myweb:latest'], Config: {} },
    { RepoTags: ['project-web:latest'], Config: {} },
  ]);
  const read = readImages([{ path: 'images.json', text }]);
  if (!read.ok) throw new Error('not read');
  expect(findImage(read.images, null, 'web', true)?.names).toEqual(['project-web:latest']);
  expect(findImage(read.images, null, 'eb', true)).toBeNull();
});

test('a variable of the image that svc-super sets itself is left out', () => {
  const text = JSON.stringify([{ RepoTags: ['x:latest'], Config: { Env: ['A=1', 'NOTIFY_SOCKET=/run/n'] } }]);
  const read = readImages([{ path: 'images.json', text }]);
  if (!read.ok) throw new Error('not read');
  expect(variablesOf(findImage(read.images, 'x', 'x', false))).toEqual([['A', '1']]);
});
