// The whole screen as rows of styled text, with a box above them for the confirmation or the help, and what a click at each place does.
// Writes nothing: draw.ts does. Pure.
import { consequencesOf, edgesOf, explainConsequences } from '../../control/consequences.ts';
import { type Layout, LEAST, layoutOf } from './layout.ts';
import { appearance, type Dialog, type Model, PANES, type Prompt, serviceOf } from './model.ts';
import { type Action, blankRow, type Hit, Row } from './row.ts';
import type { Style } from './style.ts';
import { clean, fit, percent, shortDuration, shortSize, widthOf, wrapWords } from './text.ts';
import { countFound, logRows } from './view-logs.ts';
import { paneRows } from './view-panes.ts';
import { tableHead, tableRows } from './view-services.ts';

/** A frame. */
export interface Picture {
  readonly columns: number;
  /** One text for each row of the screen, with SGR sequences. */
  readonly rows: readonly string[];
  /** A box above the rows; null: none. */
  readonly box: { readonly x: number; readonly y: number; readonly rows: readonly string[] } | null;
  /** Places for clicks, by row. If places overlap, the first one counts. */
  readonly hits: ReadonlyMap<number, readonly Hit[]>;
}

/** The frame of a model. */
export function viewOf(model: Model): Picture {
  const { columns, rows } = model.size;
  const layout = layoutOf(model);
  if (layout.isTooSmall) return tooSmall(model);
  const body = bodyRows(model, layout);
  const shown: string[] = [];
  const hits = new Map<number, readonly Hit[]>();
  for (let y = 0; y < rows; y += 1) {
    const [row, style] = body.get(y) ?? [blankRow(model), 'plain'];
    shown.push(model.awaySince !== null && y > 0 ? grey(model, row.finish()) : row.finish(style));
    hits.set(y, row.hits);
  }
  const box = boxOf(model);
  if (box === null) return { columns, rows: shown, box: null, hits };
  const x = Math.max(0, Math.floor((columns - box.columns) / 2));
  const y = Math.max(0, Math.floor((rows - box.rows.length) / 2));
  // While a box is open, the rows behind it take no clicks.
  const above = box.rows.map(({ hits: own }, index) => {
    const moved = own.map((hit) => ({ ...hit, from: hit.from + x, to: hit.to + x }));
    return [y + index, moved] as const;
  });
  return { columns, rows: shown, box: { x, y, rows: box.rows.map((row) => row.finish()) }, hits: new Map(above) };
}

/** What a click at a place does; null: nothing. */
export function actionAt({ hits }: Picture, x: number, y: number): Action | null {
  return hits.get(y)?.find(({ from, to }) => x >= from && x < to)?.action ?? null;
}

function tooSmall(model: Model): Picture {
  const { columns, rows } = model.size;
  const whole = `too small: needs ${LEAST.columns} columns and ${LEAST.rows} rows`;
  const text = whole.length <= columns ? whole : `needs ${LEAST.columns}×${LEAST.rows}`;
  const shown = Array.from({ length: rows }, (_, y) =>
    blankRow(model)
      .add(y === 0 ? text : '')
      .finish(),
  );
  return { columns, rows: shown, box: null, hits: new Map() };
}

/** A row in grey, without its own styles: without a supervisor, what it shows may be out of date. */
function grey({ look }: Model, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the styles are escape sequences
  return look.paint('quiet', text.replaceAll(/\x1b\[[\d;]*m/g, ''));
}

type Body = ReadonlyMap<number, readonly [Row, Style]>;

function bodyRows(model: Model, layout: Layout): Body {
  const body = new Map<number, readonly [Row, Style]>();
  body.set(0, [headerRow(model), 'inverse']);
  if (layout.tableHead !== null) body.set(layout.tableHead, [tableHead(model), 'plain']);
  for (const [index, { row, isSelected }] of tableRows(model, layout.services.rows).entries())
    body.set(layout.services.at + index, [row, isSelected && model.focus === 'services' ? 'inverse' : 'plain']);
  body.set(layout.paneTitle, [titleRow(model), 'plain']);
  const { at, rows } = layout.pane;
  const pane =
    model.pane === 'logs' ? logRows(model, rows) : paneRows(model).slice(model.paneTop, model.paneTop + rows);
  for (const [index, row] of pane.slice(0, rows).entries()) body.set(at + index, [row, 'plain']);
  body.set(layout.footer, [footerRow(model), 'plain']);
  return body;
}

/** The marks whose services the header counts, in this order, and the word for each. */
const COUNTED = ['bad', 'busy', 'good', 'done', 'timed', 'off'] as const;
const COUNT_WORDS = {
  bad: 'failing',
  busy: 'not ready',
  good: 'up',
  done: 'done',
  timed: 'scheduled',
  off: 'off',
} as const;

function headerRow(model: Model): Row {
  const { look, status, series, awaySince, now } = model;
  const row = blankRow(model);
  if (awaySince !== null) {
    const since = shortDuration((now - awaySince) / 1_000);
    return row.add(` no supervisor has responded for ${since}: connecting again ... (q quits)`);
  }
  const services = status?.services ?? [];
  const marks = services.map((service) => appearance(service).mark);
  row.add(` ${clean(status?.name ?? '')} `, 'strong');
  if (status !== null && status.phase !== 'running') row.add(` ${status.phase} `);
  for (const mark of COUNTED) {
    const count = marks.filter((one) => one === mark).length;
    if (count > 0) row.add(` ${look.mark(mark)} ${count} ${COUNT_WORDS[mark]} `);
  }
  const cpu = services.reduce((sum, { name }) => sum + (series.get(name)?.cpu ?? 0), 0);
  const memory = services.reduce((sum, { usage }) => sum + (usage?.memory_bytes ?? 0), 0);
  const total = `CPU ${percent(cpu)}  MEM ${shortSize(memory)} `;
  return row.room > widthOf(total) ? row.skipTo(widthOf(total)).add(total) : row;
}

function titleRow(model: Model): Row {
  const { look, size, pane, focus, scroll, find, filter, selected } = model;
  const row = blankRow(model).add(look.line.repeat(2), 'quiet');
  for (const [index, one] of PANES.entries()) {
    const isOpen = one === pane;
    const style: Style = isOpen ? (focus === 'pane' ? 'inverse' : 'strong') : 'quiet';
    // In a narrow terminal only the open pane has its name.
    const text = isOpen || size.columns >= 70 ? ` ${index + 1} ${one} ` : ` ${index + 1} `;
    row.add(text, style, { kind: 'pane', pane: one });
  }
  const service = serviceOf(model);
  const name = service === null ? '' : ` ${clean(selected ?? '')} `;
  const states = [
    ...(pane !== 'logs' || selected === null ? [] : [scroll.up === 0 ? 'follows' : `${scroll.up} below`]),
    ...(pane === 'logs' && filter !== '' ? [`only "${clean(filter)}"`] : []),
    ...(pane === 'logs' && find !== '' ? [`"${clean(find)}": ${countFound(model)}`] : []),
    ...(model.names !== '' ? [`services: "${clean(model.names)}"`] : []),
  ];
  row.add(look.line.repeat(2), 'quiet').add(name, 'accent').add(look.line, 'quiet');
  const text = states.length === 0 ? '' : ` ${states.join(', ')} `;
  const shown = text === '' ? '' : fit(text, Math.min(widthOf(text), row.room));
  return row.add(shown, 'busy').add(look.line.repeat(row.room), 'quiet');
}

/** The keys of the footer: key, label and word. */
const KEYS: Readonly<Record<'services' | 'pane', readonly (readonly [string, string, string])[]>> = {
  services: [
    ['?', '?', 'help'],
    ['s', 's', 'start'],
    ['x', 'x', 'stop'],
    ['r', 'r', 'restart'],
    ['tab', 'Tab', 'log'],
    ['/', '/', 'services'],
    ['o', 'o', 'order'],
    ['z', 'z', 'zoom'],
    ['q', 'q', 'quit'],
  ],
  pane: [
    ['?', '?', 'help'],
    ['/', '/', 'find'],
    ['n', 'n', 'next'],
    ['f', 'f', 'filter'],
    ['end', 'End', 'follow'],
    ['w', 'w', 'wrap'],
    ['z', 'z', 'zoom'],
    ['tab', 'Tab', 'services'],
    ['q', 'q', 'quit'],
  ],
};

const PROMPTS: Readonly<Record<Prompt['kind'], string>> = {
  find: 'find in the log',
  filter: 'only lines with',
  services: 'only services with',
};

function footerRow(model: Model): Row {
  const { prompt, message, focus, sort, now } = model;
  const row = blankRow(model);
  if (prompt !== null) {
    row.add(` ${PROMPTS[prompt.kind]}: `, 'strong').add(clean(prompt.text)).add(' ', 'inverse');
    return row.add('  Enter keeps it, Esc cancels', 'quiet');
  }
  if (message !== null && message.until > now) return row.add(` ${clean(message.text)}`, message.style);
  row.add(' ');
  for (const [key, label, word] of KEYS[focus]) {
    const text = key === 'o' ? `order: ${sort}` : word;
    const wide = widthOf(label) + 1 + widthOf(text) + 2;
    if (row.room < wide) break;
    row.add(label, 'strong', { kind: 'key', key }).add(` ${text}`, 'quiet', { kind: 'key', key }).add('  ');
  }
  return row;
}

interface Box {
  readonly columns: number;
  readonly rows: readonly Row[];
}

const HELP: readonly (readonly [string, string])[] = [
  ['Up Down  k j', 'select a service; scroll, if a pane has the focus'],
  ['PgUp PgDn Home End', 'the same, by pages; End follows the log'],
  ['Tab  Enter  Esc', 'move between services and pane; back'],
  ['1 2 3 4', 'log, dependencies, start-up, details'],
  ['s  x  r', 'start, stop, restart the selected service'],
  ['/  n  N', 'find in the log, older, newer; or services by name'],
  ['f  w  t', 'filter the log; wrap lines; show times'],
  ['Left Right', 'scroll long lines'],
  ['o  z  m', 'order of services; zoom the pane; mouse on or off'],
  ['Ctrl-Z  Ctrl-L  q', 'suspend; draw again; quit'],
];

function boxOf(model: Model): Box | null {
  if (model.isHelping) return helpBox(model);
  return model.dialog === null ? null : confirmationBox(model, model.dialog);
}

function helpBox(model: Model): Box {
  const lines = HELP.map(
    ([keys, text]) =>
      (row: Row) =>
        row.cell(keys, 20, 'strong').add(text),
  );
  return makeBox(model, 'keys', Math.min(model.size.columns, 78), [
    ...lines,
    () => undefined,
    (row) => row.add('Esc', 'strong', { kind: 'key', key: 'escape' }).add(' closes this'),
  ]);
}

function confirmationBox(model: Model, { operation, service }: Dialog): Box {
  const columns = Math.min(model.size.columns - 2, 64);
  const { graph, status } = model;
  const sentences =
    graph === null
      ? ['requesting the dependencies ...']
      : explainConsequences(
          operation,
          [service],
          consequencesOf(operation, [service], edgesOf(graph), status?.services ?? []),
        );
  const lines = sentences.flatMap((sentence) => wrapWords(clean(sentence), columns - 4));
  const most = Math.max(1, model.size.rows - 6);
  const text = lines.length > most ? [...lines.slice(0, most - 1), '...'] : lines;
  const yes = { kind: 'key', key: 'enter' } as const;
  const no = { kind: 'key', key: 'escape' } as const;
  return makeBox(model, `${operation} ${clean(service)}?`, columns, [
    ...text.map((line) => (row: Row) => row.add(line)),
    () => undefined,
    (row) => row.add(` Enter: ${operation} `, 'inverse', yes).add('   ').add(' Esc: cancel ', 'strong', no),
  ]);
}

/** A box with a border and a title. `lines`: functions that fill one row each. */
function makeBox(model: Model, title: string, columns: number, lines: readonly ((row: Row) => unknown)[]): Box {
  const { look } = model;
  const [topLeft, topRight, bottomLeft, bottomRight] = look.corners;
  const named = fit(` ${title} `, Math.min(columns - 4, widthOf(title) + 2));
  const top = new Row(look, columns).add(`${topLeft}${look.line}`).add(named, 'strong');
  top.add(look.line.repeat(Math.max(0, top.room - 1))).add(topRight);
  const bottom = new Row(look, columns).add(`${bottomLeft}${look.line.repeat(columns - 2)}${bottomRight}`);
  const middle = lines.map((line) => {
    const row = new Row(look, columns).add(`${look.side} `);
    line(row);
    return row.skipTo(1).add(look.side);
  });
  return { columns, rows: [top, ...middle, bottom] };
}
