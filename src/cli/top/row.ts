// One row of the screen, built from left to right: styled text, and the actions of clicks. Never wider than the screen. Pure.
import type { Key } from './keys.ts';
import type { Model, Pane, Sort } from './model.ts';
import type { Look, Style } from './style.ts';
import { fit, slice, toAscii, widthOf } from './text.ts';

/** What a click does: the same as a key, or selects a service, opens a pane, or changes the order. */
export type Action =
  | Key
  | { readonly kind: 'select'; readonly name: string }
  | { readonly kind: 'pane'; readonly pane: Pane }
  | { readonly kind: 'sort'; readonly sort: Sort };

/** The cells of a row, from `from` to before `to`, on which a click does `action`. */
export interface Hit {
  readonly from: number;
  readonly to: number;
  readonly action: Action;
}

/** An empty row as wide as the screen. */
export function blankRow({ look, size }: Pick<Model, 'look' | 'size'>): Row {
  return new Row(look, size.columns);
}

/** A row under construction. */
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

  /** Cells that are still free. */
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

  /** A click anywhere in the row does `action`, except where another action was added before. */
  onClick(action: Action): this {
    this.hits.push({ from: 0, to: this.#columns, action });
    return this;
  }

  /** The row as text with SGR sequences, filled with spaces, and all of it in `style`. */
  finish(style: Style = 'plain'): string {
    return this.#look.paint(style, this.#text + ' '.repeat(this.room));
  }
}
