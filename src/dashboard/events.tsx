// The view of the supervisor's events, latest first, with filters; and the list of events that other views use. Requests nothing:
// the model has the events.
import { useState } from 'preact/hooks';
import type { JournalEntry } from '../control/journal.ts';
import { clock, exactClock } from './charts.tsx';
import { Card, Pill, SearchField, ServiceLink } from './controls.tsx';
import { count, type Mood } from './format.ts';
import { makeFilter } from './lines.ts';
import { useModel } from './model.ts';

const LEVELS: Readonly<Record<JournalEntry['level'], readonly [Mood, string]>> = {
  info: ['calm', 'info'],
  warn: ['wait', 'warning'],
  error: ['bad', 'error'],
};

interface EventListProps {
  /** Oldest first. */
  readonly events: readonly JournalEntry[];
  /** Whether all events are of one service, whose name is then left out. */
  readonly isOfOne?: boolean;
}

/** Events, the latest first. */
export function EventList({ events, isOfOne = false }: EventListProps) {
  if (events.length === 0) return <p class="soft">No events.</p>;
  return (
    <ol class="events">
      {events.toReversed().map(({ seq, time, level, service, text }) => {
        const [mood, word] = LEVELS[level];
        return (
          <li key={seq} class={mood}>
            <time dateTime={time} title={new Date(time).toLocaleString()}>
              {exactClock(time)}
            </time>
            <Pill mood={mood}>{word}</Pill>
            <span class="text">
              {!isOfOne && service !== null && (
                <>
                  <ServiceLink name={service} />{' '}
                </>
              )}
              {text}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** The most events that are drawn. */
const SHOWN = 500;

/** The view of `#/events`. */
export function Events() {
  const { events, status } = useModel();
  const [level, setLevel] = useState('all');
  const [service, setService] = useState('');
  const [wanted, setWanted] = useState('');
  const fits = makeFilter(wanted);
  const found = events.filter(
    (one) =>
      (level === 'all' || one.level === 'error' || (level === 'warn' && one.level === 'warn')) &&
      (service === '' || one.service === service) &&
      fits(`${one.service ?? ''} ${one.event} ${one.text}`),
  );
  const [first] = events;
  const tools = (
    <>
      <SearchField
        id="event-filter"
        label="Filter events"
        placeholder="Filter: text or /pattern/"
        value={wanted}
        setValue={setWanted}
      />
      <label>
        <span class="hide">Level</span>
        <select id="event-level" value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
          <option value="all">all levels</option>
          <option value="warn">warnings and errors</option>
          <option value="error">errors</option>
        </select>
      </label>
      <label>
        <span class="hide">Service</span>
        <select value={service} onChange={(event) => setService(event.currentTarget.value)}>
          <option value="">all services</option>
          {status?.services.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <span class="soft" aria-live="polite">
        {count(found.length, 'event')}
        {first === undefined ? '' : ` since ${clock(first.time)}`}
      </span>
    </>
  );
  return (
    <Card id="events" title="Events" tools={tools}>
      <EventList events={found.slice(-SHOWN)} />
      {found.length > SHOWN && <p class="soft">The latest {SHOWN} are shown. Use a filter to find earlier ones.</p>}
    </Card>
  );
}
