// The view with the drawings of all services: the graph of dependencies, and the start-up over time. Both are also there as text.
// Places no node itself: graph-layout.ts does.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DependencyEdge } from '../control/consequences.ts';
import { type StartBar, startBars } from '../control/start-bars.ts';
import type { WireTimeline } from '../control/wire.ts';
import { Card, linkTo, ScrollArea, ServiceLink } from './controls.tsx';
import { describeNeeds, labelOf, type Mood, moodOf, type ServiceStatus, span } from './format.ts';
import { layOut, NODE_HEIGHT, NODE_WIDTH } from './graph-layout.ts';
import { useModel } from './model.ts';

/** The view of `#/dependencies`. */
export function Drawings() {
  const { status, edges, timeline } = useModel();
  if (status === null) return null;
  return (
    <>
      {edges !== null && <Graph services={status.services} edges={edges} />}
      {timeline !== null && <Timeline timeline={timeline} services={status.services} />}
    </>
  );
}

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const MARKS: Readonly<Record<Mood, string>> = { good: '✓', bad: '✕', wait: '…', calm: '–' };

/** The current width of the element that has `ref`, in pixels. */
function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const { current } = ref;
    if (current === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

/** A graph that is too wide is scaled down to at least this share of its size; if that is not enough, it scrolls. */
const LEAST_SCALE = 0.6;

interface GraphProps {
  readonly services: readonly ServiceStatus[];
  readonly edges: readonly DependencyEdge[];
}

function Graph({ services, edges }: GraphProps) {
  const { link } = useModel();
  const layout = layOut(
    services.map(({ name }) => name),
    edges,
  );
  const byName = new Map(services.map((service) => [service.name, service]));
  const { ref, width: room } = useWidth();
  const { width, height } = layout;
  const scale = Math.max(LEAST_SCALE, Math.min(1, room / width));
  const isCut = width * scale > room;
  return (
    <Card
      id="graph"
      title="Dependencies"
      tools={
        <span class="soft">
          an arrow leads to the service that waits; dashed: the order of groups{isCut && '; scroll sideways to see all'}
        </span>
      }
    >
      <div ref={ref}>
        <ScrollArea labelledBy="h-graph">
          <svg
            id="graph"
            class="graph"
            width={width * scale}
            height={height * scale}
            viewBox={`0 0 ${width} ${height}`}
          >
            <title>Dependencies of {services.length} services, which are also listed below</title>
            <defs>
              <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                <path class="tip" d="M0,0 L8,4 L0,8" />
              </marker>
            </defs>
            {layout.lines.map(({ key, path, origin, isLast, title }) => (
              <path key={key} class={`edge ${origin}`} d={path} marker-end={isLast ? 'url(#tip)' : undefined}>
                <title>{title}</title>
              </path>
            ))}
            {layout.nodes.map(({ name, x, y }) => {
              const service = byName.get(name);
              const label = service === undefined ? '' : labelOf(service);
              const mood = link === 'lost' ? 'calm' : moodOf(label);
              return (
                <g key={name} transform={`translate(${x},${y})`}>
                  <a href={linkTo(name)} class={`node ${mood}`} aria-label={`${name}: ${label}`}>
                    <title>{`${name}: ${label}`}</title>
                    <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx="7" />
                    <text x="10" y="21">
                      {MARKS[mood]}
                    </text>
                    <text x="28" y="21">
                      {cut(name, 16)}
                    </text>
                  </a>
                </g>
              );
            })}
          </svg>
        </ScrollArea>
      </div>
      <details>
        <summary>As a list</summary>
        <GraphWords services={services} edges={edges} />
      </details>
    </Card>
  );
}

function GraphWords({ services, edges }: GraphProps) {
  return (
    <ul id="graph-words">
      {services.map(({ name }) => {
        const needs = edges.filter((edge) => edge.name === name);
        if (needs.length === 0) return null;
        return (
          <li key={name}>
            <ServiceLink name={name} /> waits for {describeNeeds(needs)}
          </li>
        );
      })}
    </ul>
  );
}

/** Possible distances between two marks of the time axis, seconds. */
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];
/** The height of a row, pixels. */
const BAR = 26;

interface TimelineProps {
  readonly timeline: WireTimeline;
  readonly services: readonly ServiceStatus[];
}

function Timeline({ timeline, services }: TimelineProps) {
  const { ref, width } = useWidth();
  const { bars, end: endMs } = startBars(timeline);
  const end = Math.max(0.01, endMs / 1_000);
  const left = Math.min(170, width * 0.34);
  const scale = Math.max(1, width - left - 150) / end;
  const height = bars.length * BAR + 24;
  const step = STEPS.find((one) => end / one <= (width - left) / 90) ?? 2_592_000;
  const marks = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);
  // The current state of the service, which may be newer than the timeline.
  const labelFor = ({ name, type, state }: StartBar) =>
    labelOf(services.find((one) => one.name === name) ?? { type, state });
  const words = bars.map((bar) => `${bar.name}: ${describeBar(bar, labelFor(bar))}`);
  return (
    <Card
      id="time"
      title="Start-up"
      tools={<span class="soft">thick outline: the critical path; striped: failed or not ready</span>}
    >
      <div ref={ref}>
        <svg
          id="timeline"
          class="timeline"
          {...{ width, height }}
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label={`Start-up. ${words.join('; ')}`}
        >
          <defs>
            <pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="stripe" width="3" height="6" />
            </pattern>
          </defs>
          {marks.map((mark) => (
            <g key={mark}>
              <line class="grid" x1={left + mark * scale} x2={left + mark * scale} y1="0" y2={height - 18} />
              <text class="soft" x={left + mark * scale + 2} y={height - 5}>
                {mark === 0 ? '0' : span(mark)}
              </text>
            </g>
          ))}
          {bars.map((bar, index) => {
            const { name, critical, from, to } = bar;
            const label = labelFor(bar);
            const mood = moodOf(label);
            const box = {
              x: left + (from / 1_000) * scale,
              y: index * BAR + 4,
              width: Math.max(3, ((to - from) / 1_000) * scale),
              height: 16,
              rx: 3,
            };
            return (
              <g key={name}>
                <text x="0" y={index * BAR + 16}>
                  {cut(name, Math.floor(left / 8))}
                </text>
                <rect class={`bar ${mood} ${critical ? 'critical' : ''}`} {...box} />
                {mood !== 'good' && <rect {...box} fill="url(#stripes)" />}
                <text class="soft" x={box.x + box.width + 6} y={index * BAR + 16}>
                  {describeBar(bar, label)}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
    </Card>
  );
}

/** `1.2 s`, `failed, 1.2 s`, `starting, 1.2 s so far` */
function describeBar({ from, to, isOpen, ready_ms }: StartBar, label: string): string {
  const took = span((to - from) / 1_000);
  if (isOpen) return `${label}, ${took} so far`;
  return ready_ms !== null && moodOf(label) === 'good' ? took : `${label}, ${took}`;
}
