// Stands in for `serve deploy FILE`: hands the file over to Ray's dashboard and does not wait.

import { say } from './say.ts';

const [, , verb, file = ''] = process.argv;
if (verb !== 'deploy') throw new Error(`this stand-in knows no \`serve ${verb}\``);
const body = JSON.stringify(Bun.YAML.parse(await Bun.file(file).text()));
const answer = await fetch('http://127.0.0.1:8265/api/serve/applications/', { method: 'PUT', body });
if (!answer.ok) process.exit(1);
say('\u001b[32mSent deploy request successfully.\u001b[39m');
