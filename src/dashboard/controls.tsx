// Components that several views use: the state of a service, its buttons, links, cards. Each draws what it is given or what the
// model has; only model.ts sends requests.
import { type ComponentChildren, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Operation } from '../core/event.ts';
import { isReadOnly } from './client.ts';
import { actionsOf, labelOf, type Mood, moodOf, type ServiceStatus } from './format.ts';
import { sendOperation, type Target, targetName, useModel } from './model.ts';

/** An operation that a person has chosen, before the dialog confirms it. */
export interface Request {
  readonly operation: Operation;
  /** The label of the button: `Run again`. */
  readonly label: string;
  readonly target: Target;
}

/** The function that opens the dialog with the effects of a request. */
export const ConfirmContext = createContext<(request: Request) => void>(() => undefined);

/** Why the buttons are off if the listener has no token. */
export const READ_ONLY = 'Needs a token: set control.http.token in the configuration';

/** SVG paths in a box of 16 by 16, so that a state can be recognized without colours. */
const SHAPES: Readonly<Record<Mood, string>> = {
  good: 'M3.5 8.5l3 3 6-7',
  bad: 'M4 4l8 8M12 4l-8 8',
  wait: 'M8 4v4.2l2.8 1.8M8 1.8a6.2 6.2 0 1 0 .01 0z',
  calm: 'M4 8h8',
};

/** The icon of a mood. Hidden from screen readers, because a text is beside it. */
export function StateIcon({ mood }: { readonly mood: Mood }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[mood]} />
    </svg>
  );
}

/** A short text with the colour and the icon of a mood. */
export function Pill({ mood, children }: { readonly mood: Mood; readonly children: ComponentChildren }) {
  return (
    <span class={`pill ${mood}`}>
      <StateIcon mood={mood} />
      {children}
    </span>
  );
}

/** The state of a service. While the supervisor does not respond, the last known state is drawn without colour. */
export function ServiceState({ service }: { readonly service: ServiceStatus }) {
  const { link } = useModel();
  const label = labelOf(service);
  if (link === 'lost') return <Pill mood="calm">last known: {label}</Pill>;
  return <Pill mood={moodOf(label)}>{label}</Pill>;
}

/** Why the buttons are off; null: they are on. */
export function useWhyOff(): string | null {
  const { link, status } = useModel();
  if (isReadOnly) return READ_ONLY;
  if (link !== 'live') return 'The supervisor does not respond';
  return status?.phase === 'running' ? null : 'All services are being stopped';
}

interface ActionProps extends Request {
  /** Whether the button is drawn as the main one. */
  readonly isMain?: boolean;
}

/** A button for an operation. A stop or a restart asks for confirmation first. */
export function ActionButton({ operation, label, target, isMain = false }: ActionProps) {
  const confirm = useContext(ConfirmContext);
  const why = useWhyOff();
  // A start stops nothing, so it needs no confirmation.
  const act = () => {
    if (why !== null) return;
    if (operation === 'start') void sendOperation(operation, target);
    else confirm({ operation, label, target });
  };
  // `disabled` would take the focus away from the button.
  return (
    <button
      type="button"
      class={isMain ? 'main' : operation}
      aria-disabled={why !== null}
      aria-label={`${label} ${targetName(target)}`}
      title={why ?? undefined}
      onClick={act}
    >
      {label}
    </button>
  );
}

/** The buttons of a service in its current state. */
export function Actions({ service }: { readonly service: ServiceStatus }) {
  const actions = actionsOf(service);
  return (
    <div class="acts">
      {/* Keys count from the last button: `Stop` becomes `Start again` and then `Start`, and keeps the focus. */}
      {actions.map(([operation, label], index) => (
        <ActionButton
          key={actions.length - index}
          operation={operation}
          label={label}
          target={{ service: service.name }}
        />
      ))}
    </div>
  );
}

/** The address of the view of a service. */
export function linkTo(name: string): string {
  return `#/service/${encodeURIComponent(name)}`;
}

/** A link to the view of a service. */
export function ServiceLink({ name }: { readonly name: string }) {
  return <a href={linkTo(name)}>{name}</a>;
}

/** Links to services, separated by commas; a dash for none. */
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
  /** The section gets the id `ID-card`, and its heading `h-ID`; `ID` is free for the list in it. */
  readonly id: string;
  readonly title: string;
  /** Beside the heading. */
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A section with a heading. */
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

interface SearchFieldProps {
  readonly id?: string;
  /** For screen readers. */
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly setValue: (value: string) => void;
}

/** The field above a list that selects what is shown. */
export function SearchField({ id, label, placeholder, value, setValue }: SearchFieldProps) {
  return (
    <label class="filter">
      <span class="hide">{label}</span>
      <input
        id={id}
        type="search"
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
    </label>
  );
}

interface ScrollProps {
  readonly labelledBy: string;
  readonly children: ComponentChildren;
}

/** A region that scrolls sideways. The keyboard can reach it, so that it can scroll it. */
export function ScrollArea({ labelledBy, children }: ScrollProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-labelledby={labelledBy}>
      {children}
    </section>
  );
}
