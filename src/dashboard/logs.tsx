// The output of services: stored and new lines, with filters and a download. Follows the stream of the API, also across a restart
// of the supervisor. Keeps no more than MAX_LINES.
import { useEffect, useRef, useState } from 'preact/hooks';
import { exactClock } from './charts.tsx';
import { collect, pause, Refused, SUCCESSION_TIME, stream } from './client.ts';
import { Card, SearchField } from './controls.tsx';
import { count } from './format.ts';
import { isErrorLine, makeFilter, type PageLine, toFile } from './lines.ts';
import { announce } from './model.ts';

/** Lines that are kept in the page. */
const MAX_LINES = 1_000;
/** Stored lines that are requested at the beginning. */
const PAST = 200;

type Kept = PageLine & { readonly id: number };
let nextId = 0;

/** Stands for the lines that a broken connection may have lost. */
const GAP: PageLine = {
  time: '',
  service: '',
  stream: 'stdout',
  skipped: true,
  text: '[the connection broke here: lines may be missing]',
};

/** `more`: the rest of the query. */
function pathOf(service: string | null, more: string): string {
  return `/v1/logs?${service === null ? '' : `service=${encodeURIComponent(service)}&`}${more}`;
}

/**
 * Follows the lines of a service (null: of all services) until `signal` aborts. After a break, the supervisor sends stored lines
 * again: those that have arrived before are dropped.
 */
async function follow(service: string | null, signal: AbortSignal, take: (lines: readonly PageLine[]) => void) {
  /** The time of the latest line of each service. */
  const latest = new Map<string, string>();
  /** The value of `latest` when the connection broke, while stored lines may be sent again. */
  let atBreak: ReadonlyMap<string, string> | null = null;
  for (let wait = 500; !signal.aborted; wait = Math.min(10_000, wait * 2)) {
    let gap = atBreak === null ? [] : [GAP];
    try {
      for await (const some of stream<PageLine>(pathOf(service, `follow=true&lines=${PAST}`), signal)) {
        if (gap.length > 0) {
          const current = atBreak;
          setTimeout(() => {
            if (atBreak === current) atBreak = null;
          }, SUCCESSION_TIME);
        }
        const fresh = some.filter((line) => !(line.time <= (atBreak?.get(line.service) ?? '')));
        for (const line of fresh) if (line.skipped === undefined) latest.set(line.service, line.time);
        take([...gap, ...fresh]);
        gap = [];
        wait = 500;
      }
    } catch (error) {
      if (error instanceof Refused || signal.aborted) return;
    }
    atBreak = new Map(latest);
    await pause(wait);
  }
}

/** The lines of a service (null: of all services). Updated at most once in a frame. */
function useLines(service: string | null) {
  const [lines, setLines] = useState<readonly Kept[]>([]);
  useEffect(() => {
    const end = new AbortController();
    let waiting: Kept[] = [];
    const show = () => {
      if (end.signal.aborted) return;
      const fresh = waiting;
      waiting = [];
      setLines((old) => [...old, ...fresh].slice(-MAX_LINES));
    };
    setLines([]);
    void follow(service, end.signal, (some) => {
      if (waiting.length === 0) requestAnimationFrame(show);
      // A hidden tab draws nothing, and must not collect lines without limit.
      waiting = [...waiting, ...some.map((line) => ({ ...line, id: nextId++ }))].slice(-MAX_LINES);
    });
    return () => end.abort();
  }, [service]);
  return { lines, clear: () => setLines([]) };
}

/** Scrolls to the end when lines arrive, unless the person has scrolled up. */
function useEndInView(lines: readonly Kept[]) {
  const ref = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (ref.current !== null && isAtEnd.current) ref.current.scrollTop = ref.current.scrollHeight;
  }, [lines]);
  const onScroll = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = ref.current ?? {};
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 40;
  };
  return { ref, onScroll };
}

/** Saves all stored lines as a file. Announces success and failure; never rejects. */
async function download(service: string | null): Promise<void> {
  try {
    const lines = await collect<PageLine>(pathOf(service, 'lines=1000000'));
    const url = URL.createObjectURL(new Blob([toFile(lines)], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${service ?? 'all'}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.log`;
    link.click();
    URL.revokeObjectURL(url);
    announce(`downloaded ${count(lines.length, 'line')}`);
  } catch (error) {
    if (!(error instanceof Refused)) announce('the lines cannot be downloaded: the supervisor does not respond');
  }
}

interface LogsProps {
  /** null: all services. */
  readonly service: string | null;
  /** The services to choose from. */
  readonly names: readonly string[];
}

/** A card with the lines of one service, or of all. */
export function Logs({ service, names }: LogsProps) {
  const [chosen, setChosen] = useState('');
  const [wanted, setWanted] = useState('');
  const [source, setSource] = useState('all');
  const [paused, setPaused] = useState<readonly Kept[] | null>(null);
  const { lines, clear } = useLines(service);
  const fits = makeFilter(wanted);
  const isShown = (line: Kept) =>
    line.skipped !== undefined ||
    ((chosen === '' || line.service === chosen) &&
      (source === 'all' || (source === 'error' ? isErrorLine(line) : line.stream === source)) &&
      fits(line.text));
  const shown = (paused ?? lines).filter(isShown);
  const { ref, onScroll } = useEndInView(shown);
  const tools = (
    <LogTools
      {...{ wanted, setWanted, source, setSource, chosen, setChosen, names }}
      isPaused={paused !== null}
      pauseLines={() => setPaused(paused === null ? lines : null)}
      clear={() => {
        clear();
        setPaused(paused === null ? null : []);
      }}
      save={() => void download(service ?? (chosen === '' ? null : chosen))}
      isOne={service !== null}
      shown={shown.length}
    />
  );
  return (
    <Card id="logs" title="Logs" tools={tools}>
      <div
        class="log"
        id="logs"
        ref={ref}
        onScroll={onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-labelledby="h-logs"
        aria-live="off"
      >
        {shown.map((line) => (
          <Line key={line.id} line={line} hasName={service === null} />
        ))}
        {shown.length === 0 && <span class="soft nothing">No lines.</span>}
      </div>
    </Card>
  );
}

function Line({ line, hasName }: { readonly line: PageLine; readonly hasName: boolean }) {
  if (line.skipped !== undefined) return <p class="gap">{line.text}</p>;
  return (
    <p class={isErrorLine(line) ? 'error' : ''}>
      <span class="when">{exactClock(line.time)}</span>
      {hasName && <span class="who">{line.service}</span>}
      {line.stream === 'stderr' && (
        <abbr class="err" title="standard error">
          err
        </abbr>
      )}
      <span class="text">{line.text}</span>
    </p>
  );
}

interface ToolsProps {
  readonly wanted: string;
  readonly setWanted: (text: string) => void;
  readonly source: string;
  readonly setSource: (source: string) => void;
  readonly chosen: string;
  readonly setChosen: (name: string) => void;
  readonly names: readonly string[];
  readonly isPaused: boolean;
  readonly pauseLines: () => void;
  readonly clear: () => void;
  readonly save: () => void;
  /** Whether the lines are of one service, so that there is no service to choose. */
  readonly isOne: boolean;
  /** The number of lines in view. */
  readonly shown: number;
}

function LogTools(props: ToolsProps) {
  return (
    <>
      <SearchField
        id="filter"
        label="Filter lines"
        placeholder="Search: text or /pattern/"
        value={props.wanted}
        setValue={props.setWanted}
      />
      {!props.isOne && (
        <label>
          <span class="hide">Service</span>
          <select id="which" value={props.chosen} onChange={(event) => props.setChosen(event.currentTarget.value)}>
            <option value="">all services</option>
            {props.names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span class="hide">Lines</span>
        <select id="source" value={props.source} onChange={(event) => props.setSource(event.currentTarget.value)}>
          <option value="all">all lines</option>
          <option value="stdout">standard output</option>
          <option value="stderr">standard error</option>
          <option value="error">lines that report errors</option>
        </select>
      </label>
      <button id="pause" type="button" aria-pressed={props.isPaused} onClick={props.pauseLines}>
        {props.isPaused ? 'Resume' : 'Pause'}
      </button>
      <button id="clear" type="button" onClick={props.clear}>
        Clear
      </button>
      <button id="download" type="button" onClick={props.save}>
        Download
      </button>
      <span id="shown" class="soft">
        {count(props.shown, 'line')}
      </span>
    </>
  );
}
