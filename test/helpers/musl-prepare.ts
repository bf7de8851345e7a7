// Prepares test/helpers/musl.ts, in a process of its own because both steps are asynchronous: compiles the build for musl into
// the folder that is the first argument, and downloads musl.
import { resolve } from 'node:path';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { stage } from '../../scripts/release/stage.ts';
import { rootOf } from './roots.ts';

const platform = findPlatform('linux-x64-musl');
await rootOf(platform);
await stage(platform, resolve(process.argv[2] ?? ''));
