// The tests in real containers, on one image that is built before the first and removed after the last of them.
import { afterAll, beforeAll, describe } from 'bun:test';
import { dropImage, haveImage } from '../helpers/container-image.ts';
import { skipContainers } from '../helpers/container-tools.ts';
import { confinement } from './confinement.ts';
import { life } from './life.ts';
import { limits } from './limits.ts';

import { processes } from './processes.ts';
import { users } from './users.ts';

/** Packages may have to be fetched for its base. */
const BUILD_TIME = 900_000;

describe.skipIf(skipContainers())('a real container', () => {
  beforeAll(async () => {
    await haveImage();
  }, BUILD_TIME);
  afterAll(dropImage, BUILD_TIME);

  describe('lives:', life);
  describe('is confined:', confinement);
  describe('runs out:', limits);
  describe('has processes:', processes);
  describe('has users:', users);
});
