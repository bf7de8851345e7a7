// The dashboard's drawings and number formats: elements, plots, the start-up timeline, the dependency graph. Sends no request
// and stores nothing. Runs in a browser, before dashboard-page.js.

/** Number of values in a plot. */
export const KEPT = 60;
export const at = (id) => document.getElementById(id);
const MOOD = {
  ready: 'good',
  completed: 'good',
  failed: 'bad',
  starting: 'wait',
  unready: 'wait',
  backoff: 'wait',
  scheduled: 'wait',
  stopping: 'wait',
  pending: 'wait',
  running: 'wait',
};

export function el(name, props = {}, ...inner) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key === 'textContent') made[key] = printable(String(value));
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...inner);
  return made;
}
export function svg(name, props = {}, ...inner) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(props)) made.setAttribute(key, value);
  made.append(...inner);
  return made;
}
/** Escapes the characters that a browser interprets or hides, as `printable` of src/text.ts does. */
export const printable = (text) =>
  text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
export const put = (node, text) => {
  const shown = printable(text);
  if (node.textContent !== shown) node.textContent = shown;
};
/** A running task has no readiness. */
export const labelOf = ({ type, state }) => (type === 'task' && state === 'ready' ? 'running' : state);
export const moodOf = (state) => MOOD[state] ?? '';

export function span(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const whole = Math.floor(seconds),
    units = [
      [86400, 'd'],
      [3600, 'h'],
      [60, 'm'],
      [1, 's'],
    ];
  const first = units.findIndex(([size]) => whole >= size);
  const shown = units
    .slice(first, first + 2)
    .map(([size, unit], at) => `${Math.floor((at ? whole % units[first][0] : whole) / size)}${unit}`);
  return shown.filter((part, at) => at === 0 || !part.startsWith('0')).join(' ');
}
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes,
    unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function drawPlot(path, past, least) {
  const most = Math.max(least, ...past);
  const points = past.map(
    (value, index) => `${(KEPT - past.length + index) * (60 / (KEPT - 1))},${(19 - (value / most) * 17).toFixed(2)}`,
  );
  path.setAttribute(
    'd',
    past.length < 2 || past.every((value) => value === 0)
      ? ''
      : `M${points[0].split(',')[0]},20 L${points.join(' L')} L60,20 Z`,
  );
}
function draw(id, label, width, height, ...inner) {
  // A slightly too wide drawing is shrunk; a much too wide one scrolls.
  const fit = Math.max(0.7, Math.min(1, at(id).clientWidth / width));
  const drawn = svg(
    'svg',
    { width: width * fit, height: height * fit, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    ...inner,
  );
  const holder = at(id);
  if (holder.firstChild?.outerHTML !== drawn.outerHTML) holder.replaceChildren(drawn);
}
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
export function drawTimeline({ elapsed_ms: now, services }) {
  const bars = services
    .filter(({ started_ms: started }) => started !== null)
    .sort((a, b) => a.started_ms - b.started_ms)
    .map(({ name, type, state, started_ms: started, ready_ms: ready, critical }) => ({
      name,
      state: labelOf({ type, state }),
      ready,
      critical,
      from: started / 1000,
      took: ((ready ?? now) - started) / 1000,
    }));
  const end = Math.max(0.01, ...bars.map(({ from, took }) => from + took));
  const width = Math.max(280, at('timeline').clientWidth),
    left = Math.min(140, width * 0.34),
    scale = (width - left - 70) / end,
    height = bars.length * 26 + 24;
  const step =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 1e5, 1e6].find(
      (one) => end / one <= (width - left) / 75,
    ) ?? 1e7;
  const marks = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);
  draw(
    'timeline',
    `Start-up: ${bars.map(({ name, took, ready }) => `${name} ${ready === null ? 'not ready for' : 'ready after'} ${span(took)}`).join(', ')}`,
    width,
    height,
    ...marks.flatMap((mark) => [
      svg('line', { class: 'grid', x1: left + mark * scale, x2: left + mark * scale, y1: 0, y2: height - 18 }),
      svg('text', { class: 'soft', x: left + mark * scale + 2, y: height - 5 }, mark === 0 ? '0' : span(mark)),
    ]),
    ...bars.flatMap(({ name, state, from, took, ready, critical }, index) => [
      svg('text', { x: 0, y: index * 26 + 16 }, cut(name, Math.floor(left / 8))),
      svg('rect', {
        class: `bar ${ready === null ? '' : 'good'} ${critical ? 'critical' : ''}`,
        x: (left + from * scale).toFixed(1),
        y: index * 26 + 4,
        width: Math.max(3, took * scale).toFixed(1),
        height: 16,
        rx: 3,
      }),
      svg(
        'text',
        { class: 'soft', x: Math.min(width - 62, left + (from + took) * scale + 6).toFixed(0), y: index * 26 + 16 },
        ready === null ? state : span(took),
      ),
    ]),
  );
}

/** The target of an edge: a service, or some of its replicas. */
const chosen = (on, any) => (any === undefined ? on : `${any.least} of ${any.of}, ${on} perhaps,`);

/** The services in columns: each is to the right of all its dependencies, near their middle. */
function columnsOf(services, edges) {
  const depth = new Map();
  const depthOf = (name) => {
    if (!depth.has(name)) {
      depth.set(name, 0);
      depth.set(name, Math.max(0, ...edges.filter((edge) => edge.name === name).map(({ on }) => depthOf(on) + 1)));
    }
    return depth.get(name);
  };
  const columns = [];
  const order = new Map(services.map(({ name }, index) => [name, index]));
  const middle = (name) => {
    const needs = edges.filter((edge) => edge.name === name).map(({ on }) => order.get(on) ?? 0);
    return needs.reduce((sum, one) => sum + one, 0) / needs.length;
  };
  for (const { name } of services) {
    columns[depthOf(name)] ??= [];
    columns[depthOf(name)].push(name);
  }
  for (const column of columns.slice(1)) column.sort((a, b) => middle(a) - middle(b));
  return columns;
}

export function drawGraph(services, edges) {
  const states = new Map(services.map((service) => [service.name, labelOf(service)]));
  const columns = columnsOf(services, edges);
  const w = 132,
    h = 30,
    dx = 180,
    dy = 46,
    place = new Map(),
    most = Math.max(...columns.map((column) => column.length));
  for (const [x, column] of columns.entries())
    for (const [y, name] of column.entries()) place.set(name, [x * dx + 2, (y + (most - column.length) / 2) * dy + 4]);
  draw(
    'graph',
    `Dependencies of ${services.length} services`,
    columns.length * dx - dx + w + 4,
    most * dy,
    svg(
      'defs',
      {},
      svg(
        'marker',
        { id: 'tip', viewBox: '0 0 8 8', refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' },
        svg('path', { class: 'tip', d: 'M0,0 L8,4 L0,8', fill: 'none', stroke: 'context-stroke' }),
      ),
    ),
    ...edges
      .filter(({ name, on }) => place.has(name) && place.has(on))
      .map(({ name, on, condition, origin, any }) => {
        const [x1, y1] = place.get(on),
          [x2, y2] = place.get(name);
        const path = `M${x1 + w},${y1 + h / 2} C${x1 + w + 30},${y1 + h / 2} ${x2 - 30},${y2 + h / 2} ${x2},${y2 + h / 2}`;
        return svg(
          'path',
          { class: `edge ${origin}`, d: path, 'marker-end': 'url(#tip)' },
          svg('title', {}, `${name} waits for ${chosen(on, any)} to be ${condition}`),
        );
      }),
    ...[...place].map(([name, [x, y]]) =>
      svg(
        'g',
        { class: `node ${moodOf(states.get(name))}`, transform: `translate(${x},${y})` },
        svg('title', {}, `${name}: ${states.get(name)}`),
        svg('rect', { width: w, height: h, rx: 7 }),
        svg('text', { x: w / 2, y: 20, 'text-anchor': 'middle' }, cut(name, 16)),
      ),
    ),
  );
  const words = edges.map(({ name, on, condition, any }) =>
    el('li', { textContent: `${name} waits for ${chosen(on, any)} to be ${condition}` }),
  );
  if (at('graph-words').children.length !== words.length) at('graph-words').replaceChildren(...words);
}
