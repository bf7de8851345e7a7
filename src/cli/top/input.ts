// The next model after a key or a click, and the effect besides: request an operation, suspend, redraw, switch the mouse, quit. Pure.

import type { Operation } from '../../core/event.ts';
import type { UserInput } from './keys.ts';
import { layoutOf } from './layout.ts';
import { listed, type Model, PANES, type Prompt, SORTS, serviceOf } from './model.ts';
import type { Action } from './row.ts';
import { keepSelection, selectService, withMessage } from './update.ts';
import { actionAt, type Picture } from './view.ts';
import { findNext, mostRight, mostUp, upFor } from './view-logs.ts';
import { paneRows } from './view-panes.ts';

export type TopEffect =
  | { readonly type: 'quit' | 'suspend' | 'redraw' }
  | { readonly type: 'mouse'; readonly on: boolean }
  | { readonly type: 'operate'; readonly operation: Operation; readonly service: string };

export interface Next {
  readonly model: Model;
  readonly effect: TopEffect | null;
}

const withoutEffect = (model: Model): Next => ({ model, effect: null });

/** Applies one key, click or turn of the wheel. `frame`: what is on the screen, which a click applies to. */
export function withInput(model: Model, frame: Picture, input: UserInput): Next {
  if (input.kind === 'key') return withKey(model, input.key);
  if (input.action === 'press') return withAction(model, actionAt(frame, input.x, input.y));
  if (model.dialog !== null || model.isHelping) return withoutEffect(model);
  const lines = input.action === 'wheel-up' ? -3 : 3;
  const { services } = layoutOf(model);
  return withoutEffect(
    input.y < services.at + services.rows ? moveSelection(model, Math.sign(lines)) : scrollPane(model, lines),
  );
}

function withAction(model: Model, action: Action | null): Next {
  switch (action?.kind) {
    case undefined:
      return withoutEffect(model);
    case 'key':
      return withKey(model, action.key);
    case 'select':
      return withoutEffect(keepSelection({ ...selectService(model, action.name), focus: 'services' }));
    case 'pane':
      return withoutEffect({ ...model, pane: action.pane, paneTop: 0 });
    case 'sort':
      return withoutEffect(keepSelection({ ...model, sort: action.sort }));
    default:
      return action satisfies never;
  }
}

function withKey(model: Model, key: string): Next {
  if (key === 'ctrl-c') return { model, effect: { type: 'quit' } };
  if (key === 'ctrl-z') return { model, effect: { type: 'suspend' } };
  if (key === 'ctrl-l') return { model, effect: { type: 'redraw' } };
  if (model.prompt !== null) return withoutEffect(withPromptKey(model, model.prompt, key));
  if (model.isHelping) return withoutEffect({ ...model, isHelping: false });
  if (model.dialog !== null) return withDialogKey(model, key);
  return withCommandKey(model, key) ?? withoutEffect(withMovementKey(model, key));
}

function withDialogKey(model: Model, key: string): Next {
  const { dialog } = model;
  if (key === 'escape' || key === 'n' || key === 'q') return withoutEffect({ ...model, dialog: null });
  // Until the graph has arrived, the confirmation does not show the consequences: it cannot be accepted yet.
  if (dialog === null || model.graph === null || (key !== 'enter' && key !== 'y')) return withoutEffect(model);
  return { model: { ...model, dialog: null }, effect: { type: 'operate', ...dialog } };
}

const OPERATIONS: Readonly<Record<string, Operation>> = { s: 'start', x: 'stop', r: 'restart' };

/** Applies a key that is a command; null: it is none. */
function withCommandKey(model: Model, key: string): Next | null {
  const operation = OPERATIONS[key];
  if (operation !== undefined) return withoutEffect(confirm(model, operation));
  const pane = PANES[Number(key) - 1];
  if (pane !== undefined) return withoutEffect({ ...model, pane, paneTop: 0 });
  switch (key) {
    case 'q':
      return { model, effect: { type: 'quit' } };
    case 'm':
      return { model: { ...model, takesMouse: !model.takesMouse }, effect: { type: 'mouse', on: !model.takesMouse } };
    case '?':
    case 'h':
    case 'f1':
      return withoutEffect({ ...model, isHelping: true });
    case 'o':
      return withoutEffect(
        keepSelection({ ...model, sort: SORTS[(SORTS.indexOf(model.sort) + 1) % SORTS.length] ?? 'failing' }),
      );
    case 'z':
      return withoutEffect(
        keepSelection({ ...model, isZoomed: !model.isZoomed, focus: model.isZoomed ? model.focus : 'pane' }),
      );
    case 't':
      return withoutEffect({ ...model, showsTime: !model.showsTime });
    case 'w':
      return withoutEffect({ ...model, wraps: !model.wraps, scroll: { ...model.scroll, right: 0 } });
    case '/':
      return withoutEffect(openPrompt(model, model.focus === 'pane' && model.pane === 'logs' ? 'find' : 'services'));
    case 'f':
      return withoutEffect(openPrompt({ ...model, pane: 'logs' }, 'filter'));
    case 'n':
      return withoutEffect(findLine(model, 'older'));
    case 'N':
      return withoutEffect(findLine(model, 'newer'));
    case 'tab':
    case 'shift-tab':
      return withoutEffect(model.isZoomed ? model : { ...model, focus: model.focus === 'pane' ? 'services' : 'pane' });
    case 'enter':
      return withoutEffect({ ...model, focus: 'pane' });
    case 'escape':
      return withoutEffect(undoOne(model));
    default:
      return null;
  }
}

/** Opens the confirmation of an operation on the selected service. */
function confirm(model: Model, operation: Operation): Model {
  const service = serviceOf(model);
  if (service === null) return model;
  if (model.awaySince !== null) return withMessage(model, 'no supervisor responds: nothing can be requested', 'bad');
  return { ...model, dialog: { operation, service: service.name } };
}

/** Escape: undoes one thing, in this order: zoom, search, filter, focus, filter of services. */
function undoOne(model: Model): Model {
  if (model.isZoomed) return keepSelection({ ...model, isZoomed: false, focus: 'services' });
  if (model.focus === 'pane' && model.find !== '') return { ...model, find: '', foundAt: null };
  if (model.focus === 'pane' && model.filter !== '') return { ...model, filter: '', foundAt: null };
  if (model.focus === 'pane') return { ...model, focus: 'services', scroll: { up: 0, right: 0 } };
  return keepSelection({ ...model, names: '' });
}

/** The field of the model that a prompt edits. */
const FIELD = { find: 'find', filter: 'filter', services: 'names' } as const satisfies Record<
  Prompt['kind'],
  keyof Model
>;

function openPrompt(model: Model, kind: Prompt['kind']): Model {
  const before = model[FIELD[kind]];
  return { ...model, prompt: { kind, text: before, before } };
}

function withPromptKey(model: Model, prompt: Prompt, key: string): Model {
  if (key === 'escape') return withText({ ...model, prompt: null }, prompt.kind, prompt.before);
  if (key === 'enter') {
    const closed: Model = { ...model, prompt: null, focus: prompt.kind === 'services' ? 'services' : 'pane' };
    return prompt.kind === 'find' && prompt.text !== '' ? findLine({ ...closed, foundAt: null }, 'older') : closed;
  }
  const text = editText(prompt.text, key);
  return text === null ? model : withText({ ...model, prompt: { ...prompt, text } }, prompt.kind, text);
}

/** Puts the text of a prompt into the model: its effect shows while it is typed. */
function withText(model: Model, kind: Prompt['kind'], text: string): Model {
  const next: Model = { ...model, [FIELD[kind]]: text, foundAt: null };
  return kind === 'services' ? keepSelection(next) : { ...next, scroll: { ...next.scroll, up: 0 } };
}

/** The text of a prompt after a key; null: the key changes nothing. */
function editText(text: string, key: string): string | null {
  if (key === 'backspace') return [...text].slice(0, -1).join('');
  if (key === 'ctrl-u') return '';
  if (key === 'ctrl-w') return text.replace(/\S*\s*$/, '');
  return [...key].length === 1 ? text + key : null;
}

/** Scrolls to the next line that has the text of the search. */
function findLine(model: Model, direction: 'older' | 'newer'): Model {
  if (model.find === '') return withMessage(model, 'no search text: focus the log and press /', 'busy');
  const index = findNext(model, direction);
  if (index === null) return withMessage(model, `no ${direction} line has "${model.find}"`, 'busy');
  const { rows } = layoutOf(model).pane;
  const up = upFor(model, index, rows);
  return { ...model, pane: 'logs', foundAt: index, scroll: { ...model.scroll, up } };
}

/** Cells by which the left and right arrow keys scroll a long line. */
const SIDEWAYS = 16;
/** More lines than there are: to the first or last one. */
const ALL = 1_000_000;

function withMovementKey(model: Model, key: string): Model {
  const { services, pane } = layoutOf(model);
  const page = Math.max(1, (model.focus === 'services' ? services.rows : pane.rows) - 1);
  const distance: Readonly<Record<string, number>> = {
    up: -1,
    k: -1,
    down: 1,
    j: 1,
    'page-up': -page,
    'page-down': page,
    ' ': page,
    home: -ALL,
    g: -ALL,
    end: ALL,
    G: ALL,
  };
  const lines = distance[key];
  if (lines !== undefined) return model.focus === 'services' ? moveSelection(model, lines) : scrollPane(model, lines);
  return key === 'left' || key === 'right' ? scrollSideways(model, key) : model;
}

/** Moves the log, also while the list of services has the focus, which these keys would not move. */
function scrollSideways(model: Model, key: 'left' | 'right'): Model {
  if (model.pane !== 'logs' || model.wraps) return model;
  const most = mostRight(model);
  const from = Math.min(most, model.scroll.right);
  const right = Math.max(0, Math.min(most, from + (key === 'left' ? -SIDEWAYS : SIDEWAYS)));
  return { ...model, scroll: { ...model.scroll, right } };
}

function moveSelection(model: Model, lines: number): Model {
  const services = listed(model);
  const index = services.findIndex(({ name }) => name === model.selected);
  const next = services[Math.max(0, Math.min(services.length - 1, index + lines))];
  return next === undefined ? model : keepSelection(selectService(model, next.name));
}

function scrollPane(model: Model, lines: number): Model {
  const { rows } = layoutOf(model).pane;
  if (model.pane !== 'logs') {
    const most = Math.max(0, paneRows(model).length - rows);
    return { ...model, paneTop: Math.max(0, Math.min(most, model.paneTop + lines)) };
  }
  const up = Math.max(0, Math.min(mostUp(model, rows), model.scroll.up - lines));
  return { ...model, scroll: { ...model.scroll, up } };
}
