// One row of the screen, built from left to right: styled text, and the places where a click does something. Pure.
import type { Key } from './keys.ts';
import type { Pane, Sort } from './model.ts';
import type { Look, Style } from './style.ts';
import { fit, slice, toAscii, widthOf } from './text.ts';

/** What a click does. */
export type Action =
  | Key
  | { readonly kind: 'select'; readonly name: string }
  | { readonly kind: 'pane'; readonly pane: Pane }
  | { readonly kind: 'sort'; readonly sort: Sort };

/** Cells of a row, the last one excluded. */
export interface Hit {
  readonly from: number;
  readonly to: number;
  readonly action: Action;
}

export class Row {
  readonly hits: Hit[] = [];
  readonly #look: Look;
  readonly #columns: number;
  #text = '';
  #width = 0;

  constructor(look: Look, columns: number) {
    this.#look = look;
    this.#columns = columns;
  }

  get room(): number {
    return this.#columns - this.#width;
  }

  /** Adds text without escapes; what does not fit is cut off. */
  add(given: string, style: Style = 'plain', action?: Action): this {
    const text = this.#look.isUnicode ? given : toAscii(given);
    const width = widthOf(text);
    const shown = width > this.room ? slice(text, 0, this.room) : text;
    const taken = Math.min(width, this.room);
    if (action !== undefined && taken > 0) this.hits.push({ from: this.#width, to: this.#width + taken, action });
    this.#text += this.#look.paint(style, shown);
    this.#width += taken;
    return this;
  }

  /** Adds text in exactly `cells` cells. */
  cell(text: string, cells: number, style: Style = 'plain', align: 'left' | 'right' = 'left'): this {
    return this.add(fit(text, Math.min(cells, this.room), align), style);
  }

  /** Spaces up to `cells` before the end of the row. */
  skipTo(cells: number): this {
    return this.room > cells ? this.add(' '.repeat(this.room - cells)) : this;
  }

  /** The whole row does this, where nothing else does. */
  all(action: Action): this {
    this.hits.push({ from: 0, to: this.#columns, action });
    return this;
  }

  /** The row as text with SGR sequences, filled with spaces. */
  finish(style: Style = 'plain'): string {
    return this.#look.paint(style, this.#text + ' '.repeat(this.room));
  }
}
