// A registry on 127.0.0.1 for tests: packages of npm (packument, tarball) and of Python (simple index, PEP 503 and 691). It
// serves the files that it is given, and notes what was asked for. Knows no other package and asks no other server.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Ran, runProgram } from './ran.ts';
import { type Served, serveLocally } from './serve.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

const digest = (how: 'sha1' | 'sha256' | 'sha512', file: string, as: 'hex' | 'base64') =>
  createHash(how).update(readFileSync(file)).digest(as);

/** package.json of an npm archive. */
function readManifest(file: string): Manifest {
  const { stdout } = Bun.spawnSync(['tar', '-xzOf', file, 'package/package.json']);
  return JSON.parse(stdout.toString()) as Manifest;
}

export class Registry {
  /** Paths of all requests. */
  readonly requests: string[] = [];
  readonly #server: Served;
  readonly #manifests: ReadonlyMap<string, { readonly file: string; readonly manifest: Manifest }>;
  readonly #files: ReadonlyMap<string, string>;

  constructor(tarballs: readonly string[], wheels: readonly string[] = []) {
    const read = tarballs.map((file) => ({ file, manifest: readManifest(file) }));
    this.#manifests = new Map(read.map((found) => [found.manifest.name, found]));
    this.#files = new Map([...tarballs, ...wheels].map((file) => [basename(file), file]));
    const names = wheels.map((file) => basename(file));
    this.#server = serveLocally((path) => {
      this.requests.push(path);
      const file = this.#files.get(path.split('/').at(-1) ?? '');
      if (path.startsWith('/files/') && file !== undefined) return new Response(Bun.file(file));
      if (path === '/simple/svc-super/' && names.length > 0) return this.#listWheels(names);
      return this.#packument(path.slice(1));
    });
  }

  get url(): string {
    return this.#server.url;
  }

  /** Names of the archives that were fetched. */
  get fetched(): readonly string[] {
    return this.requests.filter((path) => path.startsWith('/files/')).map((path) => basename(path));
  }

  #packument(name: string): Response | null {
    const found = this.#manifests.get(name);
    if (found === undefined) return null;
    const { file, manifest } = found;
    const dist = {
      tarball: `${this.url}/files/${basename(file)}`,
      integrity: `sha512-${digest('sha512', file, 'base64')}`,
      shasum: digest('sha1', file, 'hex'),
    };
    const { version } = manifest;
    return Response.json({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } });
  }

  #listWheels(names: readonly string[]): Response {
    const rows = names.map((name) => {
      const sha256 = digest('sha256', this.#files.get(name) ?? '', 'hex');
      return `<a href="/files/${name}#sha256=${sha256}" data-requires-python="&gt;=3.8">${name}</a><br>`;
    });
    return new Response(`<!DOCTYPE html><html><body>${rows.join('\n')}</body></html>`, {
      headers: { 'content-type': 'text/html' },
    });
  }

  [Symbol.dispose](): void {
    this.#server.stop();
  }
}

/** A user's folder, with a home of its own, so that no setting or cache of this machine has a part in it. */
export class UserFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'svc-super-user-'));
  readonly #env: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>>, PATH = process.env.PATH ?? '') {
    const home = join(this.path, '.home');
    this.#env = { PATH, HOME: home, TMPDIR: tmpdir(), NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1', ...env };
  }

  in(name: string): string {
    return join(this.path, name);
  }

  run(...command: readonly string[]): Promise<Ran> {
    return runProgram(command, { cwd: this.path, env: this.#env });
  }

  /** As `run`; throws if the command fails. */
  async must(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
