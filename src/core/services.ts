// A read-only map of the services of a world, by name, in an array whose chunks successive worlds share. Never copies or
// changes a service.
import type { ChunkedArray } from './chunked-array.ts';
import type { Service } from './state.ts';

export class Services implements ReadonlyMap<string, Service> {
  /** The number of each service, in the plan's order. */
  readonly numbers: ReadonlyMap<string, number>;
  readonly byNumber: ChunkedArray<Service>;

  constructor(numbers: ReadonlyMap<string, number>, byNumber: ChunkedArray<Service>) {
    this.numbers = numbers;
    this.byNumber = byNumber;
  }

  get size(): number {
    return this.byNumber.size;
  }

  get(name: string): Service | undefined {
    const number = this.numbers.get(name);
    return number === undefined ? undefined : this.byNumber.at(number);
  }

  has(name: string): boolean {
    return this.numbers.has(name);
  }

  forEach(act: (service: Service, name: string, services: ReadonlyMap<string, Service>) => void): void {
    for (const [name, service] of this) act(service, name, this);
  }

  keys(): MapIterator<string> {
    return this.numbers.keys();
  }

  values(): MapIterator<Service> {
    return this.byNumber[Symbol.iterator]();
  }

  *entries(): MapIterator<[string, Service]> {
    for (const [name, number] of this.numbers) yield [name, this.byNumber.at(number)];
  }

  [Symbol.iterator](): MapIterator<[string, Service]> {
    return this.entries();
  }
}
