// Small parts of the dashboard that several views use: the state of a service, its actions, links, cards.

import { type ComponentChildren, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Operation } from '../core/event.ts';
import { isReadOnly } from './client.ts';
import { actionsOf, labelOf, type Mood, moodOf, type ServiceStatus } from './format.ts';
import { sendOperation, useModel } from './model.ts';

/** What is asked for: an operation on one service or on the members of a group. */
export interface Request {
  readonly operation: Operation;
  /** The words of the button: `Run again`. */
  readonly label: string;
  readonly what: { readonly service: string } | { readonly group: string };
}

/** Opens the dialog that describes the effects of a request. */
export const AskContext = createContext<(request: Request) => void>(() => undefined);

export const READ_ONLY = 'Needs a token: set control.http.token in the configuration';

/** Shapes in a box of 16 by 16, so that a state does not depend on its colour. */
const SHAPES: Readonly<Record<Mood, string>> = {
  good: 'M3.5 8.5l3 3 6-7',
  bad: 'M4 4l8 8M12 4l-8 8',
  wait: 'M8 4v4.2l2.8 1.8M8 1.8a6.2 6.2 0 1 0 .01 0z',
  calm: 'M4 8h8',
};

export function StateIcon({ mood }: { readonly mood: Mood }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[mood]} />
    </svg>
  );
}

export function Pill({ mood, children }: { readonly mood: Mood; readonly children: ComponentChildren }) {
  return (
    <span class={`pill ${mood}`}>
      <StateIcon mood={mood} />
      {children}
    </span>
  );
}

/** The state of a service. While the supervisor does not respond it is only the last known one, and drawn without colour. */
export function ServiceState({ service }: { readonly service: ServiceStatus }) {
  const { link } = useModel();
  const label = labelOf(service);
  if (link === 'lost') return <Pill mood="calm">last known: {label}</Pill>;
  return <Pill mood={moodOf(label)}>{label}</Pill>;
}

/** Why nothing can be requested now; null: it can. */
export function useWhyOff(): string | null {
  const { link, status } = useModel();
  if (isReadOnly) return READ_ONLY;
  if (link !== 'live') return 'The supervisor does not respond';
  return status?.phase === 'running' ? null : 'All services are being stopped';
}

interface ActionProps extends Request {
  readonly isMain?: boolean;
}

export function ActionButton({ operation, label, what, isMain = false }: ActionProps) {
  const ask = useContext(AskContext);
  const why = useWhyOff();
  const name = 'service' in what ? what.service : `group ${what.group}`;
  // A start of one service has no effect on others that could surprise.
  const act = () => {
    if (why !== null) return;
    if (operation === 'start') void sendOperation(operation, what);
    else ask({ operation, label, what });
  };
  // Not `disabled`: a button that had the focus would lose it.
  return (
    <button
      type="button"
      class={isMain ? 'main' : operation}
      aria-disabled={why !== null}
      aria-label={`${label} ${name}`}
      title={why ?? undefined}
      onClick={act}
    >
      {label}
    </button>
  );
}

export function Actions({ service }: { readonly service: ServiceStatus }) {
  const actions = actionsOf(service);
  return (
    <div class="acts">
      {/* Counted from the last one: `Stop` becomes `Start again` and then `Start`, and keeps the focus. */}
      {actions.map(([operation, label], index) => (
        <ActionButton
          key={actions.length - index}
          operation={operation}
          label={label}
          what={{ service: service.name }}
        />
      ))}
    </div>
  );
}

export function linkTo(name: string): string {
  return `#/service/${encodeURIComponent(name)}`;
}

export function ServiceLink({ name }: { readonly name: string }) {
  return <a href={linkTo(name)}>{name}</a>;
}

/** Services as links, with commas. */
export function ServiceLinks({ names }: { readonly names: readonly string[] }) {
  if (names.length === 0) return <>–</>;
  return (
    <>
      {names.map((name, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <ServiceLink name={name} />
        </span>
      ))}
    </>
  );
}

interface CardProps {
  readonly id: string;
  readonly title: string;
  /** Beside the heading. */
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Card({ id, title, tools, children }: CardProps) {
  return (
    <section class="card" id={`${id}-card`} aria-labelledby={`h-${id}`}>
      <div class="head">
        <h2 id={`h-${id}`}>{title}</h2>
        {tools}
      </div>
      {children}
    </section>
  );
}

interface ScrollProps {
  readonly labelledBy: string;
  readonly children: ComponentChildren;
}

/** A region that scrolls sideways by itself, and that the keyboard reaches for that. */
export function ScrollArea({ labelledBy, children }: ScrollProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-labelledby={labelledBy}>
      {children}
    </section>
  );
}
