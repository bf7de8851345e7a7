// What services wait for: whether a gate is open, whether it can never open, and which services stand before another one.
// Reads the books; never changes one.
import type { Edge, ServicePlan } from '../../../src/plan/plan.ts';
import { type Book, isToRunAgain, isUp } from './book.ts';

export interface Choice {
  readonly least: number;
  readonly members: readonly Edge[];
}

/** So many of these edges must be met: one edge alone, or those to copies of the same service. */
export function choices(edges: readonly Edge[]): readonly Choice[] {
  const alone = edges.filter(({ choice }) => choice === undefined).map((edge) => ({ least: 1, members: [edge] }));
  const named = new Set(edges.flatMap(({ choice }) => choice?.of ?? []));
  const several = [...named].map((of) => {
    const members = edges.filter(({ choice }) => choice?.of === of);
    return { least: members[0]?.choice?.least ?? 0, members };
  });
  return [...alone, ...several];
}

/** All that a service waits for, by itself and as a member of its stage. */
export function edgesOf({ edges, stageEdges }: ServicePlan): readonly Edge[] {
  return [...edges, ...stageEdges];
}

export class Gates {
  readonly #books: ReadonlyMap<string, Book>;

  constructor(books: ReadonlyMap<string, Book>) {
    this.#books = books;
  }

  book(name: string): Book {
    const book = this.#books.get(name);
    if (book === undefined) throw new Error(`no service ${name}`);
    return book;
  }

  /** Services that depend on this one, directly or through others whose runs are over. */
  dependents(name: string): readonly Book[] {
    const direct = [...this.#books.values()].filter(({ plan }) => edgesOf(plan).some(({ on }) => on === name));
    const isDone = (book: Book) => book.runs > 0 && !isUp(book);
    return direct.flatMap((book) => (isDone(book) ? [book, ...this.dependents(book.plan.name)] : [book]));
  }

  met({ on, condition, origin, restarts }: Edge): boolean {
    const book = this.book(on);
    const { everBorn, run, final, again, rest } = book;
    if (origin === 'stage' && (rest === 'held' || rest === 'by-hand')) return true;
    const isComing = isUp(book) && (run?.born !== true || run.exit !== null || run.stop !== null);
    if (condition === 'started') return everBorn && !(restarts === true && (isComing || isToRunAgain(book)));
    if (condition === 'exited') return final !== null;
    if (condition === 'completed') return final?.success === true;
    if (final !== null) return final.success && final.wasReady;
    if (restarts === true && isToRunAgain(book)) return false;
    return (
      again === null && run !== null && run.readyAt !== null && !run.unready && run.exit === null && run.stop === null
    );
  }

  allMet(plan: ServicePlan): boolean {
    return choices(edgesOf(plan)).every(
      ({ least, members }) => members.filter((edge) => this.met(edge)).length >= least,
    );
  }

  /** Whether another service that is about to stop still has one of its ports. */
  isClaimed({ name, ports }: ServicePlan): boolean {
    return [...this.#books.values()].some((book) => {
      const { plan, wanted, run } = book;
      if (plan.name === name || run === null || !isUp(book)) return false;
      const leaves = wanted !== 'up' || run.stop !== null || run.exit !== null || run.killedAt !== null;
      return leaves && plan.ports.some((port) => ports.includes(port));
    });
  }

  isHopeless(plan: ServicePlan): boolean {
    return choices(edgesOf(plan)).some((choice) => this.#isShut(choice));
  }

  #isShut({ least, members }: Choice): boolean {
    return members.length - members.filter((edge) => this.#isLost(edge)).length < least;
  }

  /** Whether the condition of an edge can never be met any more. */
  #isLost(edge: Edge): boolean {
    const book = this.book(edge.on);
    if (this.met(edge)) return false;
    return !book.plan.enabled || book.final !== null || this.neverStarts(book);
  }

  neverStarts(book: Book): boolean {
    const { plan, run, rest } = book;
    return (
      plan.enabled &&
      rest !== 'held' &&
      rest !== 'by-hand' &&
      (run === null || rest === 'idle') &&
      this.isHopeless(plan)
    );
  }

  /** Services whose failures keep it from starting, directly or through others that never start. */
  causesOf(plan: ServicePlan): ReadonlySet<Book> {
    const hopeless = choices(edgesOf(plan)).filter((choice) => this.#isShut(choice));
    const lost = hopeless.flatMap(({ members }) => members.filter((edge) => this.#isLost(edge)));
    const found = lost.map(({ on }) => this.book(on)).filter(({ plan: { enabled } }) => enabled);
    return new Set(
      found.flatMap((book) => (book.final === null ? [...this.causesOf(book.plan)] : book.final.success ? [] : [book])),
    );
  }
}
