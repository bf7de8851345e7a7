// The view of one service: its state, configuration, probes, runs, resources, output and events. Requests only the details of the
// service; everything else is in the model.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { DetailsBody } from '../control/details.ts';
import { Chart, exactClock, historyNote } from './charts.tsx';
import { getJson, Refused } from './client.ts';
import { Actions, Card, Pill, ScrollArea, SearchField, ServiceLinks, ServiceState } from './controls.tsx';
import { EventList } from './events.tsx';
import { count, exitOf, type Mood, renderShare, type ServiceStatus, sizeOf, span } from './format.ts';
import { makeFilter } from './lines.ts';
import { Logs } from './logs.tsx';
import { useModel } from './model.ts';
import { GpuMeters } from './overview.tsx';
import { withLatest } from './plot.ts';

/** The details of a service, requested again after each new state; null: not received yet. */
function useDetails(name: string): DetailsBody | null {
  const { seenAt } = useModel();
  const [details, setDetails] = useState<DetailsBody | null>(null);
  // With each new state (`seenAt`) there may be a new run or a new result.
  useEffect(() => {
    getJson<DetailsBody>(`/v1/services/${encodeURIComponent(name)}/details`)
      .then(setDetails)
      .catch((error: unknown) => {
        // After other errors the old details stay: the page reports that the supervisor does not respond.
        if (error instanceof Refused) setDetails(null);
      });
  }, [name, seenAt]);
  return details?.name === name ? details : null;
}

/** The view of `#/service/NAME`. */
export function ServiceView({ name }: { readonly name: string }) {
  const { status, events, gpus } = useModel();
  const details = useDetails(name);
  const service = status?.services.find((one) => one.name === name);
  if (status === null) return null;
  if (service === undefined) {
    return (
      <Card id="missing" title={name}>
        <p>
          There is no service {name}. <a href="#/">All services</a>
        </p>
      </Card>
    );
  }
  const own = gpus.filter(({ services }) => services.includes(name));
  return (
    <>
      <Title service={service} />
      <div class="two">
        <Facts service={service} details={details} />
        <Resources service={service} />
      </div>
      {own.length > 0 && (
        <Card id="gpus" title="GPUs">
          <div class="gpus">
            {own.map((gpu) => (
              <GpuMeters key={gpu.id} gpu={gpu} />
            ))}
          </div>
        </Card>
      )}
      {details !== null && <Runs details={details} />}
      {details !== null && <Probes details={details} />}
      <Logs service={name} names={[]} />
      <div class="two">
        <Card id="events" title="Events">
          <EventList events={events.filter((one) => one.service === name).slice(-30)} isOfOne />
        </Card>
        {details !== null && <Environment details={details} />}
      </div>
    </>
  );
}

function Title({ service }: { readonly service: ServiceStatus }) {
  return (
    <div class="title">
      <div>
        <a href="#/">All services</a>
        {/* Receives the focus when the view is opened. */}
        <h2 tabIndex={-1}>{service.name}</h2>
      </div>
      <ServiceState service={service} />
      <p class="why">{service.reason}</p>
      <Actions service={service} />
    </div>
  );
}

/** Of each card that shows details. */
interface PartProps {
  readonly details: DetailsBody;
}

function Facts({ service, details }: { readonly service: ServiceStatus; readonly details: DetailsBody | null }) {
  const facts: readonly (readonly [string, string])[] = [
    [
      'Process',
      service.pid === null
        ? '–'
        : `PID ${service.pid}${service.usage === null ? '' : `, ${count(service.usage.processes, 'process', 'processes')}`}`,
    ],
    ['Uptime', span(service.uptime_seconds)],
    ['Ready after', span(service.ready_after_seconds)],
    ['Run', `${service.run}, ${count(service.restarts, 'restart')}`],
    [
      'Kind',
      `${service.type}${service.essential ? ', essential' : ''}${service.group === null ? '' : `, group ${service.group}`}`,
    ],
    ['Ports', details?.ports.join(', ') || '–'],
    ['GPUs', details?.gpus?.map(({ id, name }) => `${id} (${name})`).join(', ') || '–'],
    ['User', details === null ? '–' : (details.user ?? 'that of the supervisor')],
    ['Folder', details === null ? '–' : (details.cwd ?? 'that of the supervisor')],
    ['Restart', details?.restart ?? '–'],
    ...scheduleOf(service),
    ['Stop', details?.stop ?? '–'],
    ['Log file', details?.log_file ?? '–'],
    ...(details?.log_stderr_file == null ? [] : [['Log file of standard error', details.log_stderr_file] as const]),
  ];
  return (
    <Card id="facts" title="Service">
      <dl class="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>Needs</dt>
          <dd>
            <ServiceLinks names={details?.needs.map(({ on }) => on) ?? []} />
          </dd>
        </div>
        <div>
          <dt>Needed by</dt>
          <dd>
            <ServiceLinks names={details?.needed_by.map(({ name }) => name) ?? []} />
          </dd>
        </div>
      </dl>
      <h3>Command</h3>
      <pre class="command" id="command">
        {details === null ? '' : details.command.map(quoted).join(' ')}
      </pre>
    </Card>
  );
}

/** The facts about the schedule of a task; none if it has no schedule. */
function scheduleOf({ schedule }: ServiceStatus): readonly (readonly [string, string])[] {
  if (schedule === null) return [];
  const { cron, every_seconds: every, time_zone: zone, next_run: next, completed, failed } = schedule;
  return [
    ['Schedule', cron === null ? `every ${span(every)}` : `${cron}${zone === null ? '' : ` (${zone})`}`],
    ['Next run', next === null ? '–' : new Date(next).toLocaleString()],
    ['Runs so far', `${completed} completed, ${failed} failed`],
  ];
}

/** An argument with the quotes that a shell needs. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function Resources({ service: { name, usage } }: { readonly service: ServiceStatus }) {
  const { history, cpu, seenAt } = useModel();
  const series = history?.services[name];
  const times = history?.times ?? [];
  const restarts = series?.restarts ?? [];
  return (
    <Card id="resources" title="Resources" tools={<span class="soft">{historyNote(times)}</span>}>
      <Chart
        title="CPU"
        {...withLatest(times, series?.cpu_percent, seenAt, cpu.get(name) ?? null)}
        least={5}
        format={renderShare}
        restarts={restarts}
      />
      <Chart
        title="Memory"
        {...withLatest(times, series?.memory_bytes, seenAt, usage?.memory_bytes ?? null)}
        least={1_048_576}
        format={sizeOf}
        restarts={restarts}
      />
    </Card>
  );
}

/** How the results of runs and probes are drawn. */
const RESULTS: Readonly<Record<string, Mood>> = {
  running: 'good',
  completed: 'good',
  failed: 'bad',
  stopped: 'calm',
  ok: 'good',
  timeout: 'bad',
};

interface TableProps {
  readonly id: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly [key: string | number, cells: readonly ComponentChildren[]])[];
}

function Table({ id, heads, rows }: TableProps) {
  return (
    <ScrollArea labelledBy={`h-${id}`}>
      <table class="plain" id={id} aria-labelledby={`h-${id}`}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([key, cells]) => (
            <tr key={key}>
              {cells.map((cell, index) => (
                <td key={heads[index]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollArea>
  );
}

function Result({ result }: { readonly result: string }) {
  return <Pill mood={RESULTS[result] ?? 'calm'}>{result}</Pill>;
}

function Runs({ details: { runs } }: PartProps) {
  const rows = runs.map(
    ({ run, started, result, exit, ready_after_seconds: after, lasted_seconds: lasted, text }) =>
      [
        run,
        [
          String(run),
          started === null ? '–' : new Date(started).toLocaleString(),
          <Result key="result" result={result} />,
          exitOf(exit),
          span(after),
          span(lasted),
          text ?? '',
        ],
      ] as const,
  );
  return (
    <Card id="runs" title="Runs" tools={<span class="soft">the latest 20 since the supervisor was started</span>}>
      {rows.length === 0 ? (
        <p class="soft">No run since the supervisor was started.</p>
      ) : (
        <Table
          id="runs"
          heads={['Run', 'Started', 'Result', 'Exit', 'Ready after', 'Lasted', 'How it ended']}
          rows={rows}
        />
      )}
    </Card>
  );
}

function Probes({ details: { probes } }: PartProps) {
  const rows = probes.map(
    ({ use, kind, target, interval_seconds: interval, last }, index) =>
      [
        index,
        [
          `${use}, ${kind}`,
          <code key="target">{target}</code>,
          kind === 'log' || kind === 'notify' ? '–' : span(interval),
          last === null ? 'no result yet' : <Result key="result" result={last.result} />,
          last === null ? '' : `${exactClock(last.time)}, took ${span(last.seconds)}`,
          last?.text ?? '',
        ],
      ] as const,
  );
  return (
    <Card id="probes" title="Probes">
      {rows.length === 0 ? (
        <p class="soft">The service has no probes: it counts as ready when its program has been started.</p>
      ) : (
        <Table id="probes" heads={['Probe', 'Target', 'Every', 'Last result', 'When', 'Detail']} rows={rows} />
      )}
    </Card>
  );
}

function Environment({ details: { env } }: PartProps) {
  const [wanted, setWanted] = useState('');
  const fits = makeFilter(wanted);
  const hidden = env.filter(({ value }) => value === null).length;
  const tools = (
    <>
      <span class="soft">
        {count(env.length, 'variable')}, {hidden} with a hidden value
      </span>
      <SearchField label="Filter variables" placeholder="Filter variables" value={wanted} setValue={setWanted} />
    </>
  );
  return (
    <Card id="env" title="Environment" tools={tools}>
      <dl class="env" id="env">
        {env
          .filter(({ name, value }) => fits(`${name} ${value ?? ''}`))
          .map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value === null ? <i class="soft">hidden</i> : value}</dd>
            </div>
          ))}
      </dl>
    </Card>
  );
}
