// Where the parts of the screen are: a header, the services, a pane with its title, a footer. The same arithmetic serves drawing,
// scrolling and the mouse. Pure.
import { listed, type Model } from './model.ts';

export const LEAST = { columns: 40, rows: 10 } as const;

export interface Layout {
  readonly isTooSmall: boolean;
  /** Row of the head of the table; null: the pane fills the screen. */
  readonly tableHead: number | null;
  /** First row and number of rows. */
  readonly services: { readonly at: number; readonly rows: number };
  readonly paneTitle: number;
  readonly pane: { readonly at: number; readonly rows: number };
  readonly footer: number;
}

export function layoutOf(model: Model): Layout {
  const { columns, rows } = model.size;
  const isTooSmall = columns < LEAST.columns || rows < LEAST.rows;
  const footer = rows - 1;
  if (model.isZoomed) {
    return {
      isTooSmall,
      tableHead: null,
      services: { at: 1, rows: 0 },
      paneTitle: 1,
      pane: { at: 2, rows: Math.max(0, rows - 3) },
      footer,
    };
  }
  // Header, head of the table, title of the pane, footer.
  const room = Math.max(0, rows - 4);
  const count = Math.min(Math.max(1, listed(model).length), Math.max(3, Math.floor(room / 2)));
  return {
    isTooSmall,
    tableHead: 1,
    services: { at: 2, rows: count },
    paneTitle: 2 + count,
    pane: { at: 3 + count, rows: room - count },
    footer,
  };
}

/** The nearest first line with which line `index` of `count` is among `rows` lines. */
export function firstFor(first: number, index: number, count: number, rows: number): number {
  const most = Math.max(0, count - rows);
  const near = index < first ? index : index >= first + rows ? index - rows + 1 : first;
  return Math.min(most, Math.max(0, near));
}
