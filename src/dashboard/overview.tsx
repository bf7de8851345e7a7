// The first view: counts, the table of services (those that need a person first, then group by group), GPUs, logs and the latest
// events. Reads the model and requests nothing itself.
// biome-ignore-all lint/a11y/noRedundantRoles: on a phone the table is laid out as cards, and some browsers then do not expose it as a table
// biome-ignore-all lint/a11y/useSemanticElements: the roles are there for the same reason
import { useRef, useState } from 'preact/hooks';
import { Meter, Spark } from './charts.tsx';
import { isReadOnly } from './client.ts';
import { ActionButton, Actions, Card, SearchField, ServiceLink, ServiceLinks, ServiceState } from './controls.tsx';
import { EventList } from './events.tsx';
import { count, countServices, labelOf, renderShare, type ServiceStatus, sizeOf, span, urgencyOf } from './format.ts';
import { makeFilter } from './lines.ts';
import { Logs } from './logs.tsx';
import { type Gpu, useModel } from './model.ts';
import { withLatest } from './plot.ts';
import { NO_SECTIONS, nextSections, type ServiceSection } from './sections.ts';

/** How long the order of the rows is kept after the pointer or the keyboard was used in the table, milliseconds. */
const HELD = 5_000;

/**
 * The sections, and the handlers that keep their order while a person uses the table: if a row moved away under the pointer, a
 * click would hit another service.
 */
function useSections(services: readonly ServiceStatus[], groups: readonly string[]) {
  const heldUntil = useRef(0);
  const shown = useRef(NO_SECTIONS);
  shown.current = nextSections(shown.current, services, groups, performance.now() < heldUntil.current);
  const hold = () => {
    heldUntil.current = performance.now() + HELD;
  };
  return { sections: shown.current.sections, handlers: { onPointerMove: hold, onKeyDown: hold, onFocusIn: hold } };
}

/** The view of `#/`. */
export function Overview() {
  const { status, gpus, gpuWhy } = useModel();
  if (status === null) return null;
  return (
    <div class="overview">
      <div class="column">
        <Tiles />
        <Services services={status.services} groups={status.groups} />
        {(gpus.length > 0 || gpuWhy !== null) && <Gpus gpus={gpus} why={gpuWhy} />}
      </div>
      <div class="column aside">
        <Logs service={null} names={status.services.map(({ name }) => name)} />
        <Latest />
      </div>
    </div>
  );
}

function Tiles() {
  const { status, cpu } = useModel();
  const services = status?.services ?? [];
  const { urgent, up, inProgress, notRunning } = countServices(services);
  const memory = services.reduce((sum, { usage }) => sum + (usage?.memory_bytes ?? 0), 0);
  const used = [...cpu.values()].reduce((sum, share) => sum + share, 0);
  const tiles = [
    ['need attention', String(urgent), urgent > 0 ? 'bad' : ''],
    ['up', String(up), ''],
    ['in progress', String(inProgress), ''],
    ['not running', String(notRunning), ''],
    ['CPU of all services', renderShare(used), ''],
    ['memory of all services', sizeOf(memory), ''],
  ];
  return (
    <dl class="tiles" aria-label="Summary">
      {tiles.map(([label, value, mood]) => (
        <div key={label} class={`tile ${mood}`}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ServicesProps {
  readonly services: readonly ServiceStatus[];
  readonly groups: readonly string[];
}

function Services({ services, groups }: ServicesProps) {
  const [wanted, setWanted] = useState('');
  const { sections, handlers } = useSections(services, groups);
  const fits = makeFilter(wanted);
  const byName = new Map(services.map((service) => [service.name, service]));
  const isGrouped = groups.length > 0 || sections.some(({ isUrgent }) => isUrgent);
  const tools = (
    <>
      <span id="count" class="soft">
        {services.filter(({ ready }) => ready).length} of {services.length} ready
      </span>
      <SearchField
        label="Filter services"
        placeholder="Filter: name, state or /pattern/"
        value={wanted}
        setValue={setWanted}
      />
    </>
  );
  return (
    <Card id="services" title="Services" tools={tools}>
      {isReadOnly && (
        <p id="read-only" class="soft">
          Read-only: starting, stopping and restarting need a token. Set <code>control.http.token</code> in the
          configuration.
        </p>
      )}
      <table id="services" role="table" aria-labelledby="h-services" {...handlers}>
        <Head />
        {sections.map(({ group, isUrgent, names }) => (
          <tbody key={`${isUrgent} ${group ?? ''}`} role="rowgroup">
            {isGrouped && <SectionHead group={group} isUrgent={isUrgent} services={services} />}
            {names.map((name) => {
              const service = byName.get(name);
              const isShown = service !== undefined && fits(`${name} ${labelOf(service)} ${service.group ?? ''}`);
              return isShown ? <Row key={name} service={service} isApart={isUrgent} /> : null;
            })}
          </tbody>
        ))}
      </table>
    </Card>
  );
}

function Head() {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {[
          ['c-name', 'Service'],
          ['c-state', 'State'],
          ['c-up', 'Uptime'],
          ['c-runs', 'Restarts'],
          ['c-plot', 'CPU'],
          ['c-plot', 'Memory'],
        ].map(([name, text]) => (
          <th key={text} class={name} role="columnheader" scope="col">
            {text}
          </th>
        ))}
        <th class="c-act" role="columnheader" scope="col">
          <span class="hide">Actions</span>
        </th>
      </tr>
    </thead>
  );
}

interface SectionHeadProps extends Pick<ServiceSection, 'group' | 'isUrgent'> {
  readonly services: readonly ServiceStatus[];
}

/** States in which a service can be stopped; one that is `stopping` is being stopped already. A task is `running`, not `ready`. */
const STOPPABLE: ReadonlySet<string> = new Set([
  'starting',
  'running',
  'ready',
  'unready',
  'backoff',
  'pending',
  'scheduled',
]);

function SectionHead({ group, isUrgent, services }: SectionHeadProps) {
  const members = services.filter((service) => service.group === group);
  const ready = members.filter((service) => service.ready || service.state === 'skipped').length;
  const isActive = members.some(({ state }) => STOPPABLE.has(state));
  return (
    <tr class={`group ${isUrgent ? 'urgent' : ''}`} role="row">
      <th colSpan={4} scope="rowgroup" role="rowheader">
        {isUrgent ? 'Needs attention' : (group ?? 'Without a group')}{' '}
        {group !== null && <span class="soft">{`group, ${ready} of ${members.length} ready`}</span>}
      </th>
      <td colSpan={3} role="cell">
        {group !== null && (
          <div class="acts">
            <ActionButton operation="start" label="Start all" target={{ group }} />
            {isActive && <ActionButton operation="restart" label="Restart all" target={{ group }} />}
            {isActive && <ActionButton operation="stop" label="Stop all" target={{ group }} />}
          </div>
        )}
      </td>
    </tr>
  );
}

interface RowProps {
  readonly service: ServiceStatus;
  /** Whether the row is outside the section of its group. */
  readonly isApart: boolean;
}

function Row({ service, isApart }: RowProps) {
  const { history, cpu, seenAt } = useModel();
  const { name, type, group, reason, usage, ready_after_seconds: after, gpus } = service;
  const series = history?.services[name];
  const times = history?.times ?? [];
  const more = [
    type === 'task' ? 'task' : '',
    group === null || !isApart ? '' : `group ${group}`,
    gpus === null || gpus.length === 0 ? '' : `GPU ${gpus.join(', ')}`,
  ].filter((text) => text !== '');
  const why =
    reason ?? (service.state === 'ready' && service.probed && after !== null ? `ready after ${span(after)}` : '');
  const share =
    usage === null ? null : (cpu.get(name) ?? series?.cpu_percent.findLast((value) => value !== null) ?? null);
  return (
    <tr role="row" data-service={name} class={urgencyOf(service) === null ? '' : 'urgent'}>
      <th class="name" scope="row" role="rowheader">
        <ServiceLink name={name} />
        <small>{more.join(', ')}</small>
      </th>
      <td role="cell" class="state">
        <ServiceState service={service} />
        <span class="why">{why}</span>
      </td>
      <td role="cell" data-label="Uptime">
        {span(service.uptime_seconds)}
      </td>
      <td role="cell" data-label="Restarts">
        {service.restarts}
      </td>
      <td role="cell" data-label="CPU">
        <div class="plot">
          <span>{renderShare(share)}</span>
          <Spark {...withLatest(times, series?.cpu_percent, seenAt, share)} least={5} />
        </div>
      </td>
      <td role="cell" data-label="Memory">
        <div class="plot">
          <span>{sizeOf(usage?.memory_bytes)}</span>
          <Spark {...withLatest(times, series?.memory_bytes, seenAt, usage?.memory_bytes ?? null)} least={1} />
        </div>
      </td>
      <td role="cell" class="c-act">
        <Actions service={service} />
      </td>
    </tr>
  );
}

interface GpusProps {
  readonly gpus: readonly Gpu[];
  readonly why: string | null;
}

function Gpus({ gpus, why }: GpusProps) {
  return (
    <Card id="gpus" title="GPUs" tools={<span class="soft">{count(gpus.length, 'device')}</span>}>
      {why !== null && <p class="soft">The GPUs cannot be read: {why}</p>}
      <div class="gpus">
        {gpus.map((gpu) => (
          <GpuMeters key={gpu.id} gpu={gpu} />
        ))}
      </div>
    </Card>
  );
}

/** The use and the memory of one GPU, with the services that use it. */
export function GpuMeters({ gpu }: { readonly gpu: Gpu }) {
  const { history, seenAt } = useModel();
  const series = history?.gpus[gpu.id];
  const { memory_used_bytes: used, memory_total_bytes: total } = gpu;
  return (
    <div class="gpu">
      <p>
        <b>GPU {gpu.index}</b> <span class="soft">{gpu.name}</span>
        {gpu.services.length > 0 && (
          <span>
            <ServiceLinks names={gpu.services} />
          </span>
        )}
      </p>
      <Meter label="Use" part={gpu.use_percent} whole={100} text={renderShare(gpu.use_percent)} />
      <Meter
        label="Memory"
        part={used}
        whole={total}
        text={used === null ? '–' : `${sizeOf(used)} of ${sizeOf(total)}`}
      />
      <Spark {...withLatest(history?.times ?? [], series?.use_percent, seenAt, gpu.use_percent)} least={100} />
    </div>
  );
}

function Latest() {
  const { events } = useModel();
  return (
    <Card id="latest" title="Latest events" tools={<a href="#/events">All events</a>}>
      <EventList events={events.slice(-12)} />
    </Card>
  );
}
