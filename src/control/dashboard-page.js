// The dashboard's script: requests data from the control API and displays it. Stores the token for this tab only, and inserts
// every text as text. Runs unmodified in a browser.
import {
  at,
  drawGraph,
  drawPlot,
  drawTimeline,
  el,
  KEPT,
  labelOf,
  moodOf,
  put,
  size,
  span,
  svg,
} from './dashboard-drawings.js';

const KEY = 'svc-super-token';
const EVERY = 1_000;
const LINES = 1_000;
/** Milliseconds that a restarted supervisor may take to respond and to send its stored lines. */
const SUCCESSION = 2_000;
const CAN = {
  start: ['stopped', 'failed', 'completed', 'skipped', 'idle', 'backoff', 'pending', 'scheduled'],
  stop: ['starting', 'ready', 'unready', 'backoff', 'pending', 'scheduled'],
  restart: ['starting', 'ready', 'unready', 'backoff', 'failed', 'stopped', 'completed'],
};
/** Without a token the listener is read-only. */
const isReadOnly = 'readOnly' in document.body.dataset;
const READ_ONLY = 'Needs a token: set control.http.token in the configuration';
at('read-only').hidden = !isReadOnly;
let paths = {};
let edges = null;
const rows = new Map();
// On a phone the table is laid out as cards, and some browsers then do not expose it as a table.
for (const [name, role] of Object.entries({ table: 'table', tbody: 'rowgroup', 'thead tr': 'row', th: 'columnheader' }))
  for (const one of document.querySelectorAll(name)) one.setAttribute('role', role);

let hush = 0;
function say(text) {
  put(at('news'), text);
  clearTimeout(hush);
  if (text) hush = setTimeout(() => say(''), 8000);
}

// Requests ------------------------------------------------------------------------------------------------------------
class Refused extends Error {}
async function ask(path, { method = 'GET', body, key, signal } = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body && { 'content-type': 'application/json' }),
    ...(key && { 'idempotency-key': key }),
  };
  const response = await fetch(path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    signal,
    cache: 'no-store',
  });
  if (response.status !== 401) return response;
  sessionStorage.removeItem(KEY);
  at('leave').hidden = true;
  if (token) put(at('login-why'), 'That token is wrong.');
  if (!at('login').open) at('login').showModal();
  throw new Refused();
}
at('login').addEventListener('cancel', (event) => event.preventDefault());
at('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at('token').value.trim());
  at('token').value = '';
  at('login').close();
  at('leave').hidden = false;
  begin();
});
at('leave').addEventListener('click', () => {
  sessionStorage.removeItem(KEY);
  location.reload();
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Repeats a request while the supervisor is restarted. Because of the key a repetition has no second effect. */
async function request(path) {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16)).join('-');
  for (const began = performance.now(); ; ) {
    try {
      return await ask(path, { method: 'POST', body: {}, key });
    } catch (error) {
      if (error instanceof Refused || performance.now() - began > SUCCESSION) throw error;
    }
    await pause(100);
  }
}

/** Lines of JSON as they arrive. */
async function* lines(path, signal) {
  const response = await ask(path, { signal });
  if (!response.ok) throw new Error(`${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    yield parts.filter((part) => part !== '').map((part) => JSON.parse(part));
  }
}

// Services ------------------------------------------------------------------------------------------------------------
function makeRow({ name, type, group }) {
  const part = {
    state: el('span', { className: 'pill' }),
    why: el('span', { className: 'why' }),
    up: el('span'),
    restarts: el('span'),
    cpu: el('span'),
    memory: el('span'),
    cpuPlot: svg('path'),
    memoryPlot: svg('path'),
    buttons: {},
    cpuPast: [],
    memoryPast: [],
    before: null,
  };
  const plot = (path) =>
    svg('svg', { class: 'spark', viewBox: '0 0 60 20', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, path);
  const cell = (label, ...inner) => el('td', { role: 'cell', 'data-label': label }, ...inner);
  const acts = el('div');
  for (const what of ['start', 'stop', 'restart']) {
    const button = el('button', {
      type: 'button',
      textContent: what[0].toUpperCase() + what.slice(1),
      hidden: !canAsk(what),
    });
    button.setAttribute('aria-label', `${what} ${name}`);
    if (isReadOnly) button.title = READ_ONLY;
    button.addEventListener('click', () => act(what, name));
    part.buttons[what] = button;
    acts.append(button);
  }
  const more = [type === 'task' ? 'task' : '', group ? `group ${group}` : ''].filter(Boolean).join(', ');
  const head = el(
    'td',
    { role: 'rowheader', className: 'name' },
    el('b', { textContent: name }),
    el('small', { textContent: more }),
  );
  part.row = el(
    'tr',
    { role: 'row' },
    head,
    el('td', { role: 'cell', className: 'state' }, part.state, part.why),
    cell('Uptime', part.up),
    cell('Restarts', part.restarts),
    cell('CPU', el('div', { className: 'plot' }, part.cpu, plot(part.cpuPlot))),
    cell('Memory', el('div', { className: 'plot' }, part.memory, plot(part.memoryPlot))),
    el('td', { role: 'cell', className: 'acts' }, acts),
  );
  return part;
}
const remember = (past, value) => void (past.push(value) > KEPT && past.shift());
function showService(service, now) {
  let part = rows.get(service.name);
  if (part === undefined) {
    part = makeRow(service);
    rows.set(service.name, part);
    at('services').append(part.row);
    at('which').append(el('option', { value: service.name, textContent: service.name }));
  }
  const { state, reason, usage, ready_after_seconds: after } = service;
  const label = labelOf(service);
  put(part.state, label);
  part.state.className = `pill ${moodOf(label)}`;
  put(part.why, reason ?? (label === 'ready' && after !== null ? `ready after ${span(after)}` : ''));
  put(part.up, span(service.uptime_seconds));
  put(part.restarts, String(service.restarts));
  const cpu = usage?.cpu_seconds ?? 0,
    before = part.before;
  const percent =
    before === null || cpu < before.cpu ? 0 : Math.max(0, ((cpu - before.cpu) / ((now - before.now) / 1000)) * 100);
  part.before = { cpu, now };
  remember(part.cpuPast, percent);
  remember(part.memoryPast, usage?.memory_bytes ?? 0);
  put(part.cpu, usage ? `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %` : '–');
  put(part.memory, usage ? size(usage.memory_bytes) : '–');
  drawPlot(part.cpuPlot, part.cpuPast, 5);
  drawPlot(part.memoryPlot, part.memoryPast, 1);
  for (const [what, button] of Object.entries(part.buttons)) {
    const off = isReadOnly || !CAN[what].includes(state);
    if (button.disabled !== off && !(off && document.activeElement === button)) button.disabled = off;
  }
}
const canAsk = (what) => Boolean(paths[`/v1/services/{name}/${what}`]?.post);
async function act(what, name) {
  if (what !== 'start' && !(await sure(what, name))) return;
  say(`requested: ${what} ${name}`);
  try {
    const response = await request(`/v1/services/${encodeURIComponent(name)}/${what}`);
    const { error } = response.ok ? {} : await response.json();
    if (error) say(`cannot ${what} ${name}: ${error}`);
  } catch (error) {
    if (!(error instanceof Refused)) say(`cannot ${what} ${name}: ${error.message}`);
  }
}
function sure(what, name) {
  const dependents = (edges ?? []).filter(({ on }) => on === name).map(({ name: from }) => from);
  put(at('h-sure'), `${what[0].toUpperCase()}${what.slice(1)} ${name}?`);
  put(
    at('sure-why'),
    dependents.length
      ? `${[...new Set(dependents)].join(', ')} ${dependents.length > 1 ? 'depend' : 'depends'} on it.`
      : 'Nothing else depends on it.',
  );
  put(at('sure-yes'), what[0].toUpperCase() + what.slice(1));
  at('sure').showModal();
  return new Promise((resolve) => {
    const over = (answer) => () => {
      at('sure').onclose = null;
      at('sure').close();
      resolve(answer);
    };
    at('sure-yes').onclick = over(true);
    at('sure-no').onclick = over(false);
    // The close event of an earlier dialog may arrive after this one has opened.
    at('sure').onclose = () => at('sure').open || over(false)();
  });
}

// Logs ----------------------------------------------------------------------------------------------------------------
let kept = [],
  waiting = [],
  following = null;
function matcher() {
  const text = at('filter').value,
    [, pattern] = /^\/(.+)\/$/.exec(text) ?? [],
    name = at('which').value;
  let fits = (line) => line.toLowerCase().includes(text.toLowerCase());
  try {
    if (pattern) {
      const found = new RegExp(pattern, 'i');
      fits = (line) => found.test(line);
    }
  } catch {
    /* Not finished yet. */
  }
  return (line) => line.skipped || ((name === '' || line.service === name) && (text === '' || fits(line.text)));
}
function lineOf({ time, service, stream, text, skipped }) {
  if (skipped) return el('p', { className: 'gap', textContent: text });
  const when = new Date(time).toTimeString().slice(0, 8);
  return el(
    'p',
    { className: stream },
    el('span', { className: 'when', textContent: when }),
    el('span', { className: 'who', textContent: service }),
    text,
  );
}
function showLines() {
  const log = at('logs'),
    fits = matcher(),
    stays = at('pause').ariaPressed === 'true';
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  kept.push(...waiting);
  const fresh = waiting.filter(fits).slice(-LINES);
  waiting = [];
  kept = kept.slice(-LINES);
  if (stays) return;
  log.append(...fresh.map(lineOf));
  while (log.children.length > LINES) log.firstChild.remove();
  if (atEnd && fresh.length) log.scrollTop = log.scrollHeight;
  put(at('shown'), `${log.children.length} ${log.children.length === 1 ? 'line' : 'lines'}`);
}
function showAgain() {
  at('logs').replaceChildren(...kept.filter(matcher()).map(lineOf));
  at('logs').scrollTop = at('logs').scrollHeight;
  put(at('shown'), `${at('logs').children.length} lines`);
}
const GAP = { skipped: true, text: '[the connection broke here: lines may be missing]' };
async function follow() {
  following?.abort();
  following = new AbortController();
  const { signal } = following;
  kept = [];
  showAgain();
  /** The time of the latest line of each service; and its value at the break while stored lines are sent again. */
  const last = new Map();
  let before = null;
  const letPast = (mine) => void setTimeout(() => (before = before === mine ? null : before), SUCCESSION);
  for (let wait = 500; !signal.aborted; wait = Math.min(10_000, wait * 2)) {
    try {
      let gap = before === null ? [] : [GAP];
      for await (const some of lines('/v1/logs?follow=true&lines=200', signal)) {
        if (gap.length) letPast(before);
        const fresh = some.filter(({ service, time }) => !(time <= before?.get(service)));
        for (const { service, time } of fresh) if (service) last.set(service, time);
        if (waiting.length === 0) requestAnimationFrame(showLines);
        // A hidden tab draws nothing, and must not collect lines without limit.
        waiting = waiting.concat(gap, fresh).slice(-LINES);
        gap = [];
        wait = 500;
      }
    } catch (error) {
      if (error instanceof Refused || signal.aborted) return;
    }
    before = new Map(last);
    await pause(wait);
  }
}
at('filter').addEventListener('input', showAgain);
at('which').addEventListener('change', showAgain);
at('clear').addEventListener('click', () => {
  kept = [];
  showAgain();
});
at('pause').addEventListener('click', () => {
  const paused = at('pause').ariaPressed !== 'true';
  at('pause').ariaPressed = String(paused);
  put(at('pause'), paused ? 'Resume' : 'Pause');
  if (!paused) showAgain();
});

// Page ----------------------------------------------------------------------------------------------------------------
function show(status) {
  const now = performance.now(),
    { services } = status;
  put(at('title'), status.name);
  document.title = `${status.healthy ? '' : '● '}${status.name} – svc-super`;
  put(at('health'), status.phase === 'running' ? (status.healthy ? 'healthy' : 'not healthy') : status.phase);
  at('health').className = `pill ${status.healthy ? 'good' : 'bad'}`;
  const { restarts, last } = status.supervisor;
  put(
    at('version'),
    `svc-super ${status.version}, pid ${status.pid}${restarts ? `, supervisor restarted: ${restarts}` : ''}`,
  );
  at('version').title = last ? `${new Date(last.time).toLocaleString()}: the supervisor ${last.reason}` : '';
  put(at('count'), `${services.filter(({ ready }) => ready).length} of ${services.length} ready`);
  const names = new Set(services.map(({ name }) => name));
  for (const [name, { row }] of rows)
    if (!names.has(name)) {
      row.remove();
      rows.delete(name);
    }
  for (const service of services) showService(service, now);
  if (edges !== null) drawGraph(services, edges);
}
async function learnEdges() {
  const { services } = await (await ask('/v1/graph')).json();
  edges = services.flatMap(({ name, needs }) => needs.map((need) => ({ name, ...need })));
}
let turn = 0,
  count = 0,
  restarts = null;
function sayRestart({ supervisor }) {
  if (restarts !== null && supervisor.restarts > restarts)
    say(`the supervisor was restarted: it ${supervisor.last?.reason ?? 'ended'}. The services continue to run`);
  restarts = supervisor.restarts;
}
async function begin() {
  const mine = ++turn;
  try {
    paths = (await (await ask('/openapi.json')).json()).paths;
    if (sessionStorage.getItem(KEY)) at('leave').hidden = false;
    if (paths['/v1/graph']) await learnEdges();
    at('graph-card').hidden = edges === null;
    at('time-card').hidden = !paths['/v1/timeline'];
    if (paths['/v1/logs']) {
      at('logs-card').hidden = false;
      void follow();
    }
  } catch (error) {
    if (error instanceof Refused) return;
  }
  for (let lost = false; mine === turn; ) {
    try {
      if (!document.hidden) {
        const status = await (await ask('/v1/status')).json();
        if (lost) say('');
        lost = false;
        show(status);
        sayRestart(status);
        // Rarely changing data is requested rarely; a reload may have changed the dependencies.
        if (paths['/v1/timeline'] && (count < 60 || count % 5 === 0))
          drawTimeline(await (await ask('/v1/timeline')).json());
        if (edges !== null && count % 10 === 9) await learnEdges();
        count += 1;
      }
    } catch (error) {
      if (error instanceof Refused) return;
      lost = true;
      put(at('health'), 'no response');
      at('health').className = 'pill bad';
      say('the supervisor does not respond; trying again');
    }
    await pause(EVERY);
  }
}
begin();
