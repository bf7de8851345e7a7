// `timeline`: the start-up times as text and as SVG.
import { type StartBar, startBars } from '../../control/start-bars.ts';
import type { WireSpan, WireTimeline } from '../../control/wire.ts';
import { resolve } from '../../paths.ts';
import { printable, renderDuration } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super timeline [--svg FILE | --json]';

export default {
  summary: 'show the start of each service over time, and the critical path',
  usage: USAGE,
  example: 'svc-super timeline --svg start.svg',
  connects: true,
  flags: {
    svg: {
      type: 'string',
      value: 'FILE',
      completes: 'files',
      summary: 'write an SVG picture to this file; - is standard output',
    },
    json: JSON_FLAG,
  },
  run: showTimeline,
} satisfies Command;

async function showTimeline(context: CommandContext, { values }: GivenFlags): Promise<number> {
  if (values.svg !== undefined && values.json === true)
    return reportUsage(context, 'timeline takes --svg or --json, and not both', USAGE);
  const response = await callSupervisor(context, { path: '/v1/timeline' });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status !== 200) return reportRefusal(context, response.body);
  const timeline = response.body as WireTimeline;
  if (typeof values.svg === 'string') return writeSvg(context, values.svg, renderSvg(timeline));
  context.out(values.json === true ? renderJson(timeline, 2) : renderTimeline(timeline, context.colour));
  return EXIT.ok;
}

function writeSvg(context: CommandContext, file: string, svg: string): number {
  if (file === '-') {
    context.out(svg);
    return EXIT.ok;
  }
  try {
    context.save(resolve(context.cwd, file), svg);
    return EXIT.ok;
  } catch (error) {
    context.err(`svc-super: cannot write ${printable(file)}: ${printable(String((error as Error).message))}\n`);
    return EXIT.failed;
  }
}

const WIDTH = 40;
/** States in which no run is under way, and none follows without a request. */
const AT_REST: ReadonlySet<StartBar['state']> = new Set(['failed', 'stopped', 'completed', 'idle', 'skipped']);

export function renderTimeline(timeline: WireTimeline, colour: boolean): string {
  const { bars, end } = startBars(timeline);
  const rows = bars.map((bar) => {
    const from = Math.min(WIDTH - 1, Math.floor((bar.from / end) * WIDTH));
    const length = Math.max(1, Math.min(WIDTH - from, Math.round(((bar.to - bar.from) / end) * WIDTH)));
    const drawn = (bar.critical ? '█' : '░').repeat(length);
    const shown = colour && bar.critical ? `\x1b[31m${drawn}\x1b[0m` : drawn;
    return {
      cells: [
        `${bar.critical ? '*' : ' '} ${printable(bar.name)}`,
        `+${renderDuration(bar.from)}`,
        renderReady(bar),
        renderDuration(bar.to - bar.from),
      ],
      bar: `${' '.repeat(from)}${shown}`,
    };
  });
  const head = ['  SERVICE', 'STARTED', 'READY', 'TOOK'];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map(({ cells }) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[], rest: string) =>
    `${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}  ${rest}`.trimEnd();
  const waiting = timeline.services.filter(({ started_ms, state }) => started_ms === null && state === 'pending');
  return [
    timeline.ready_ms === null
      ? 'not everything is ready yet'
      : `everything was ready after ${renderDuration(timeline.ready_ms)}`,
    ...renderChain(timeline.services),
    '',
    line(head, ''),
    ...rows.map(({ cells, bar }) => line(cells, bar)),
    ...waiting.map(({ name, after }) =>
      printable(`  ${name}  has not started${after === null ? '' : `: waits for ${after}`}`),
    ),
    '',
  ].join('\n');
}

/** `+2.0 s`; `not yet (starting)`; the state alone if no run follows without a request. */
function renderReady({ ready_ms, state }: StartBar): string {
  if (ready_ms !== null) return `+${renderDuration(ready_ms)}`;
  return AT_REST.has(state) ? state : `not yet (${state})`;
}

/** `critical path (*): db > api > web`: the services that determined the time of the whole start. */
function renderChain(services: readonly WireSpan[]): string[] {
  const chain = services.filter(({ critical }) => critical);
  if (chain.length === 0) return [];
  chain.sort((a, b) => (a.started_ms ?? Infinity) - (b.started_ms ?? Infinity));
  return [`critical path (*): ${printable(chain.map(({ name }) => name).join(' > '))}`];
}

const ROW = 22;
const LEFT = 20;
const SPAN = 900;
const TOP = 60;

/** A self-contained picture: no script, no external font, both colour schemes. */
export function renderSvg(timeline: WireTimeline): string {
  const { bars, end } = startBars(timeline);
  const x = (ms: number) => Math.round((LEFT + (ms / end) * SPAN) * 10) / 10;
  const bottom = TOP + bars.length * ROW;
  const ticks = ticksOf(end).map(
    (ms) =>
      `<line x1="${x(ms)}" y1="${TOP - 8}" x2="${x(ms)}" y2="${bottom}" class="grid"/>` +
      `<text x="${x(ms)}" y="${TOP - 14}" class="tick">${escapeXml(renderDuration(ms))}</text>`,
  );
  const rows = bars.map((bar, at) => {
    const y = TOP + at * ROW;
    const kind = bar.critical ? 'critical' : bar.ready_ms === null ? 'open' : 'plain';
    const label = `${bar.name} (${renderDuration(bar.to - bar.from)}${bar.ready_ms === null ? `, ${bar.state}` : ''})`;
    // A label that would leave the picture on the right is drawn to the left of its bar.
    const late = bar.from / end > 0.6;
    return (
      `<g><title>${escapeXml(`${label}${bar.after === null ? '' : `, after ${bar.after}`}`)}</title>` +
      `<rect x="${x(bar.from)}" y="${y + 3}" width="${Math.max(1, x(bar.to) - x(bar.from))}" height="${ROW - 6}" rx="2" class="${kind}"/>` +
      `<text x="${late ? x(bar.from) - 5 : x(bar.from) + 5}" y="${y + 15}"${late ? ' text-anchor="end"' : ''}>${escapeXml(label)}</text></g>`
    );
  });
  const title =
    timeline.ready_ms === null
      ? `${timeline.name}: not everything is ready yet`
      : `${timeline.name}: everything was ready after ${renderDuration(timeline.ready_ms)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SPAN + 2 * LEFT + 120}" height="${bottom + 30}" font-family="sans-serif" font-size="12">`,
    '<style>text{fill:#222}.tick{fill:#777;font-size:10px;text-anchor:middle}.grid{stroke:#ddd}.plain{fill:#9ec3e6}.critical{fill:#e58b8b}.open{fill:#e8d48b}' +
      '@media (prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e8e8e8}.grid{stroke:#333}.plain{fill:#2f5f8f}.critical{fill:#a03c3c}.open{fill:#8a7423}}</style>',
    `<text x="${LEFT}" y="22" font-size="15">${escapeXml(title)}</text>`,
    ...ticks,
    ...rows,
    `<text x="${LEFT}" y="${bottom + 20}" class="tick" style="text-anchor:start">red: the critical path</text>`,
    '</svg>',
    '',
  ].join('\n');
}

/** Round times for about five to ten grid lines. */
function ticksOf(end: number): readonly number[] {
  const rough = end / 8;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, at) => at * step);
}

function escapeXml(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
