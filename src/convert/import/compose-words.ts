// Command lines split into words as Compose splits them: by go-shellwords, without a shell. What follows a `&&`, `;`, `|`, `<`
// or `>` outside of quotes is dropped there, silently. https://github.com/mattn/go-shellwords, function Parse.
import { readPort } from '../quantities.ts';

export type ComposeSplit =
  | {
      readonly ok: true;
      readonly words: readonly string[];
      /** What Compose drops, from an operator of a shell on; null: nothing. */
      readonly dropped: string | null;
      /** A character of the private use area, which stands for a reference, is outside of quotes. */
      readonly unquoted: boolean;
    }
  | { readonly ok: false; readonly why: string };

/** A line while it is split. */
class Splitter {
  readonly words: string[] = [];
  /** The beginning of a word that an operator has turned into a part of itself. */
  dropped = '';
  #word = '';
  #has = false;
  #quote: '"' | "'" | null = null;
  #back = false;
  #paren = false;

  get isOpen(): boolean {
    return this.#quote !== null || this.#back || this.#paren;
  }

  add(text: string): void {
    this.#word += text;
    this.#has = true;
  }

  end(): void {
    if (this.#has) this.words.push(this.#word);
    this.#word = '';
    this.#has = false;
  }

  /** Takes a character that is not escaped; `stop`: it is an operator; null: Compose refuses it. */
  take(one: string): 'stop' | 'next' | null {
    if (/[ \t\r\n]/.test(one)) {
      if (this.isOpen) this.#word += one;
      else this.end();
      return 'next';
    }
    if (one === '`' && this.#quote === null && !this.#paren) this.#back = !this.#back;
    else if (one === ')' && this.#quote === null && !this.#back) this.#paren = !this.#paren;
    else if (one === '(' && this.#quote === null && !this.#back) {
      if (this.#paren || !this.#word.endsWith('$')) return null;
      this.#paren = true;
      this.#word += one;
      return 'next';
    } else if ((one === '"' || one === "'") && (this.#quote === one || this.#quote === null) && !this.#paren) {
      if (this.#quote === one) this.#has = true;
      this.#quote = this.#quote === null ? one : null;
      return 'next';
    } else if (/[;&|<>]/.test(one) && !this.isOpen) {
      // `2>` belongs to the operator.
      if (one === '>' && /^\d/.test(this.#word)) {
        this.dropped = this.#word;
        this.#has = false;
      }
      return 'stop';
    }
    this.add(one);
    return 'next';
  }

  get isSingle(): boolean {
    return this.#quote === "'";
  }
}

/** Splits a line. */
export function splitCompose(line: string): ComposeSplit {
  const splitter = new Splitter();
  let escaped = false;
  let at = 0;
  let dropped: string | null = null;
  let unquoted = false;
  for (const one of line) {
    unquoted ||= /[\ue000-\uf8ff]/.test(one) && !splitter.isOpen;
    if (escaped) {
      splitter.add(one);
      escaped = false;
    } else if (one === '\\' && !splitter.isSingle) escaped = true;
    else {
      const taken = splitter.take(one);
      if (taken === null) return { ok: false, why: 'a `(` must follow a `$`, and not be inside another `$(`' };
      if (taken === 'stop') {
        dropped = line.slice(at - splitter.dropped.length);
        break;
      }
    }
    at += one.length;
  }
  splitter.end();
  if (escaped) return { ok: false, why: 'nothing follows the last `\\`' };
  if (splitter.isOpen) return { ok: false, why: 'a quote or a `$(` is never closed' };
  return { ok: true, words: splitter.words, dropped, unquoted };
}

/** Programs that connect to a port that they name. */
const CLIENTS = /^(?:curl|wget|nc|psql|pg_isready|mysql|mysqladmin|redis-cli|mongo|mongosh|ssh)$/;

/** Ports that a command says to listen on: `--port N`, `--bind HOST:N`. */
export function portsOf(words: readonly string[]): readonly number[] {
  if (CLIENTS.test((words[0] ?? '').replace(/^.*\//, ''))) return [];
  return words.flatMap((word, index) => {
    const [option = '', value = words[index + 1] ?? ''] = /^(--[\w-]+)=(.*)$/.exec(word)?.slice(1) ?? [word];
    if (option === '--port') return readPort(value) ?? [];
    if (!/^(?:-b|--bind|--listen|--http)$/.test(option)) return [];
    return readPort(/^[\w.*[\]:-]*:(\d{1,5})$/.exec(value)?.[1] ?? '') ?? [];
  });
}
