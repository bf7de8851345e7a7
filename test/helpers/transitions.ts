// Records the transitions of every service while tests run, as `from --> to`: each value that replaces another one within a
// step, so that a step of several transitions is seen as such.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServicesDraft } from '../../src/core/services-draft.ts';
import type { Service } from '../../src/core/state.ts';

export class TransitionLog {
  /** `pending --> starting` and so on, and `[*] --> pending` of a new service. */
  readonly seen = new Set<string>();
  readonly #put = ServicesDraft.prototype.put;
  readonly #replan = ServicesDraft.prototype.replan;

  constructor() {
    const note = (before: Service | undefined, after: Service | undefined) => this.#note(before, after);
    const [put, replan] = [this.#put, this.#replan];
    ServicesDraft.prototype.put = function (name, service) {
      note(this.get(name), service);
      put.call(this, name, service);
    };
    ServicesDraft.prototype.replan = function (plans, services, target) {
      const names = new Set([...this.names(), ...plans.map(({ name }) => name)]);
      const isPlanned = (name: string) => plans.some((plan) => plan.name === name);
      for (const name of names)
        note(this.has(name) ? this.get(name) : undefined, isPlanned(name) ? services.get(name) : undefined);
      replan.call(this, plans, services, target);
    };
  }

  #note(before: Service | undefined, after: Service | undefined): void {
    const [from, to] = [before?.state.id ?? '[*]', after?.state.id ?? '[*]'];
    if (from !== to) this.seen.add(`${from} --> ${to}`);
  }

  /** Ends the recording. */
  stop(): void {
    ServicesDraft.prototype.put = this.#put;
    ServicesDraft.prototype.replan = this.#replan;
  }
}

/** The transitions that the diagram at the head of machine.ts has, in the same form. */
export function readDiagram(): ReadonlySet<string> {
  const text = readFileSync(join(import.meta.dir, '../../src/core/machine.ts'), 'utf8');
  const lines = [...text.matchAll(/^\/\/ {3}(\S.*?) --> (.+?): .+$/gm)];
  const found = lines.flatMap(([, from = '', to = '']) =>
    from.split(', ').flatMap((one) => to.split(', ').map((other) => `${one} --> ${other}`)),
  );
  return new Set(found);
}
