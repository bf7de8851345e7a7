// The entry of the dashboard: the header, the view for the address (#/, #/service/NAME, #/events, #/dependencies), and the messages
// above all views. Runs in a browser. Loads nothing except the control API of the server that it comes from.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { exactClock } from './charts.tsx';
import { hasToken, isReadOnly } from './client.ts';
import { ConfirmContext, Pill, type Request } from './controls.tsx';
import { Confirm, Login } from './dialogs.tsx';
import { Drawings } from './drawings.tsx';
import { Events } from './events.tsx';
import { type Mood, span } from './format.ts';
import { begin, type DashboardModel, DEPENDENCIES, leave, useModel } from './model.ts';
import { Overview } from './overview.tsx';
import { ServiceView } from './service.tsx';

const VIEWS = [
  ['#/', 'Services'],
  ['#/events', 'Events'],
  [DEPENDENCIES, 'Dependencies'],
] as const;

/** The part of the address that selects the view. */
function useAddress(): string {
  const [address, setAddress] = useState(location.hash || '#/');
  useEffect(() => {
    const listener = () => setAddress(location.hash || '#/');
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return address;
}

/** Decodes the name in an address. Text that is not properly encoded is returned as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function View({ address }: { readonly address: string }) {
  const service = /^#\/service\/(.+)$/.exec(address)?.[1];
  if (service !== undefined) return <ServiceView key={service} name={decode(service)} />;
  if (address === '#/events') return <Events />;
  if (address === DEPENDENCIES) return <Drawings />;
  return <Overview />;
}

function App() {
  const model = useModel();
  const address = useAddress();
  const [request, setRequest] = useState<Request | null>(null);
  const { status, link } = model;
  const name = status?.name ?? 'svc-super';
  const isWell = status?.healthy === true && link === 'live';
  useEffect(() => {
    document.title = `${isWell ? '' : '● '}${name} – svc-super`;
  }, [isWell, name]);
  useEffect(() => {
    // A new view begins like a new page: at its top, with the focus on its heading for screen readers.
    scrollTo(0, 0);
    document.querySelector<HTMLElement>('.title h2')?.focus({ preventScroll: true });
  }, [address]);
  return (
    <ConfirmContext.Provider value={setRequest}>
      <button class="hide skip" type="button" onClick={skip}>
        Skip to the content
      </button>
      <Header model={model} address={address} name={name} />
      <main id="main" tabIndex={-1}>
        <Lost model={model} />
        <View address={address} />
      </main>
      <div id="news" role="status" aria-live="polite">
        {model.news}
      </div>
      <Login />
      <Confirm request={request} close={() => setRequest(null)} />
    </ConfirmContext.Provider>
  );
}

/** Moves the focus to the content. A link could not do that, because the address selects the view. */
function skip(): void {
  document.getElementById('main')?.focus();
}

interface HeaderProps {
  readonly model: DashboardModel;
  readonly address: string;
  readonly name: string;
}

function Header({ model: { status, link }, address, name }: HeaderProps) {
  const isService = address.startsWith('#/service/');
  const restarts = status?.supervisor.restarts ?? 0;
  return (
    <header>
      <div class="bar-inner">
        <h1 id="title">{name}</h1>
        <Health status={status} link={link} />
        <nav aria-label="Views">
          {VIEWS.map(([target, label]) => (
            <a
              key={target}
              href={target}
              aria-current={address === target || (isService && target === '#/') ? 'page' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
        <span class="end">
          {status !== null && (
            <span id="version">
              svc-super {status.version}, pid {status.pid}
              {restarts > 0 && `, supervisor restarted: ${restarts}`}
            </span>
          )}
          {hasToken() && (
            <button id="leave" type="button" onClick={leave}>
              Forget the token
            </button>
          )}
          {isReadOnly && <Pill mood="calm">read-only</Pill>}
        </span>
      </div>
    </header>
  );
}

function healthOf({ status, link }: Pick<DashboardModel, 'status' | 'link'>): readonly [Mood, string] {
  if (link === 'lost') return ['bad', 'no response'];
  if (status === null) return ['wait', 'connecting'];
  if (status.phase !== 'running') return ['wait', status.phase];
  return status.healthy ? ['good', 'healthy'] : ['bad', 'not healthy'];
}

function Health(props: Pick<DashboardModel, 'status' | 'link'>) {
  const [mood, text] = healthOf(props);
  return (
    <span id="health">
      <Pill mood={mood}>{text}</Pill>
    </span>
  );
}

/** Reports while the supervisor does not respond: how old the data is, and what the cause may be. */
function Lost({ model: { link, seenAt, status } }: { readonly model: DashboardModel }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (link !== 'lost') return undefined;
    const timer = setInterval(() => redraw((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, [link]);
  if (link !== 'lost') return null;
  return (
    <div class="lost" id="lost">
      {/* Only this is announced: the rest changes every second. */}
      <b role="alert">The supervisor does not respond.</b>{' '}
      {status === null
        ? 'Nothing was received yet.'
        : `What you see is from ${exactClock(seenAt)}, ${span((Date.now() - seenAt) / 1_000)} ago. The services may still run.`}{' '}
      Buttons are off; the page tries again by itself. If this lasts, the container may have ended.
    </div>
  );
}

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
begin();
