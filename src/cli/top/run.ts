// `top`: connects the pure parts with the terminal and the supervisor. Sends the requests that polling.ts plans, passes responses
// and input to the functions that make the next model, and draws its view. Decides nothing else.
import type { GpusBody, StatusBody } from '../../control/api.ts';
import type { NoSupervisor } from '../../control/client.ts';
import type { DetailsBody } from '../../control/details.ts';
import type { LogLineJson } from '../../control/follow.ts';
import type { HistoryJson } from '../../control/resource-history.ts';
import type { WireTimeline } from '../../control/wire.ts';
import { type CommandContext, EXIT } from '../command.ts';
import { callSupervisor, query, reportNoSupervisor, reportRefusal, streamFromSupervisor } from '../request.ts';
import type { Drawing } from './draw.ts';
import { type TopEffect, withInput } from './input.ts';
import { flushInput, parseInput, type UserInput } from './keys.ts';
import { NO_LINES, sinceOf } from './logs.ts';
import { type GraphNode, initialModel, type Model } from './model.ts';
import { NOT_POLLED, nextPoll, notePolled, type PollTimes, pollSoon, type Resource } from './polling.ts';
import { makeLook, showsUnicode } from './style.ts';
import { type FullScreenTerminal, RESTORE } from './terminal.ts';
import {
  intervalsOf,
  withAway,
  withDetails,
  withGpuUse,
  withGraph,
  withHistory,
  withLogs,
  withMessage,
  withSize,
  withStatus,
  withTimeline,
} from './update.ts';
import { type Picture, viewOf } from './view.ts';

/** If nothing follows an Escape character in this time, the key was Escape. Milliseconds. */
const ESCAPE_TIME = 60;
/** Pause before drawing is tried again if the terminal has not yet taken the previous frame, milliseconds. */
const BUSY_PAUSE = 50;

/** What panes show: requested at once when a pane is opened or another service is selected. */
const PANE_RESOURCES: readonly Resource[] = ['logs', 'timeline', 'details'];

/** Shows the screen until the user quits; returns the exit code. The terminal is restored in any case. */
export async function runTop(context: CommandContext, terminal: FullScreenTerminal): Promise<number> {
  const [first, { Drawing }] = await Promise.all([
    callSupervisor(context, { path: '/v1/status' }),
    import('./draw.ts'),
  ]);
  if (!first.ok) return reportNoSupervisor(context, first);
  if (first.status !== 200) return reportRefusal(context, first.body);
  const top = new Top(context, terminal, Drawing, first.body as StatusBody);
  try {
    return await top.run();
  } finally {
    await terminal.close(RESTORE);
  }
}

class Top {
  readonly #context: CommandContext;
  readonly #terminal: FullScreenTerminal;
  readonly #drawing: Drawing;
  readonly #end = Promise.withResolvers<number>();
  #model: Model;
  #frame: Picture;
  #schedule: PollTimes = NOT_POLLED;
  #isPolling = false;
  #isSuspended = false;
  #isOver = false;
  #isDrawingPlanned = false;
  #cancelPoll: () => void = () => undefined;
  #cancelEscape: () => void = () => undefined;
  #pending = '';

  constructor(context: CommandContext, terminal: FullScreenTerminal, make: typeof Drawing, status: StatusBody) {
    this.#context = context;
    this.#terminal = terminal;
    this.#drawing = new make(terminal, (error) => this.#end.reject(error));
    const { environment, colour } = context;
    const look = makeLook({ colour, unicode: showsUnicode(environment) });
    const { columns, rows } = terminal.output;
    const now = context.wall();
    this.#model = withStatus(initialModel({ look, now, size: { columns, rows } }), status, now);
    this.#frame = viewOf(this.#model);
    this.#schedule = notePolled(this.#schedule, 'status', terminal.now());
  }

  run(): Promise<number> {
    this.#terminal.listen({
      input: (text) => this.#guard(() => this.#take(text)),
      resized: () => this.#guard(() => this.#takeSize()),
      ended: (code) => this.#end.resolve(code),
      failed: (error) => this.#end.reject(error),
    });
    this.#drawing.setMouse(true);
    this.#change(this.#model);
    return this.#end.promise.finally(() => {
      this.#isOver = true;
      this.#isSuspended = true;
      this.#cancelPoll();
      this.#cancelEscape();
      this.#drawing.close();
    });
  }

  /** Runs `fn`. If it throws, which is a bug, `top` ends, restores the terminal, and then the error is reported. */
  #guard(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#end.reject(error);
    }
  }

  /** The same for `work` that takes time. */
  #guardLater(work: Promise<void>): void {
    work.catch((error: unknown) => this.#end.reject(error));
  }

  #takeSize(): void {
    const { columns, rows } = this.#terminal.output;
    this.#change(withSize(this.#model, { columns, rows }));
  }

  #change(model: Model): void {
    this.#model = model;
    this.#planDrawing();
    this.#planPoll();
  }

  /**
   * Draws one frame for all changes of one turn of the event loop, and none while the terminal is busy: behind a slow link, frames would
   * wait in the buffer, and the screen would show old states.
   */
  #planDrawing(): void {
    if (this.#isDrawingPlanned) return;
    this.#isDrawingPlanned = true;
    this.#context.after(this.#terminal.isBusy ? BUSY_PAUSE : 0, () =>
      this.#guard(() => {
        this.#isDrawingPlanned = false;
        if (this.#isSuspended) return;
        if (this.#terminal.isBusy) this.#planDrawing();
        else this.#draw();
      }),
    );
  }

  #draw(): void {
    this.#frame = viewOf({ ...this.#model, now: this.#context.wall() });
    this.#drawing.show(this.#frame);
  }

  #take(text: string): void {
    this.#cancelEscape();
    const { inputs, pending } = parseInput(this.#pending, text);
    this.#pending = pending;
    this.#takeInputs(inputs);
    if (pending === '') return;
    this.#cancelEscape = this.#context.after(ESCAPE_TIME, () => {
      this.#pending = '';
      this.#guard(() => this.#takeInputs(flushInput(pending)));
    });
  }

  #takeInputs(inputs: readonly UserInput[]): void {
    for (const input of inputs) {
      const before = this.#model;
      // A click applies to the frame that is on the screen, which may be older than the model.
      const { model, effect } = withInput({ ...before, now: this.#context.wall() }, this.#frame, input);
      const isOther = model.selected !== before.selected || model.pane !== before.pane;
      for (const resource of isOther ? PANE_RESOURCES : []) this.#schedule = pollSoon(this.#schedule, resource);
      if (model.dialog !== null && before.dialog === null) this.#schedule = pollSoon(this.#schedule, 'graph');
      this.#change(model);
      if (effect !== null) this.#execute(effect);
    }
  }

  #execute(effect: TopEffect): void {
    switch (effect.type) {
      case 'quit':
        this.#end.resolve(EXIT.ok);
        break;
      case 'suspend':
        this.#guardLater(this.#suspend());
        break;
      case 'redraw':
        this.#drawing.close();
        this.#change(this.#model);
        break;
      case 'mouse':
        this.#drawing.setMouse(effect.on);
        this.#change(
          withMessage(this.#model, effect.on ? 'mouse on' : 'mouse off: the terminal can select text', 'good'),
        );
        break;
      case 'operate':
        this.#guardLater(this.#operate(effect));
        break;
      default:
        effect satisfies never;
    }
  }

  async #suspend(): Promise<void> {
    if (this.#isSuspended) return;
    this.#isSuspended = true;
    this.#cancelPoll();
    this.#drawing.close();
    await this.#terminal.suspend(RESTORE);
    // A signal may have ended `top` meanwhile, and the terminal is restored.
    if (this.#isOver) return;
    this.#isSuspended = false;
    if (this.#model.takesMouse) this.#drawing.setMouse(true);
    this.#takeSize();
  }

  async #operate({ operation, service }: TopEffect & { type: 'operate' }): Promise<void> {
    const path = `/v1/services/${encodeURIComponent(service)}/${operation}`;
    const result = await callSupervisor(this.#context, { method: 'POST', path });
    this.#schedule = pollSoon(this.#schedule, 'status');
    if (!result.ok) this.#change(withMessage(this.#model, describeAbsence(result), 'bad'));
    else if (result.status === 202)
      this.#change(withMessage(this.#model, `requested ${operation}: ${service}`, 'good'));
    else this.#change(withMessage(this.#model, errorOf(result.body), 'bad'));
  }

  #planPoll(): void {
    this.#cancelPoll();
    if (this.#isPolling || this.#isSuspended) return;
    const now = this.#terminal.now();
    const next = nextPoll(this.#schedule, intervalsOf(this.#model), now);
    if (next === null) return;
    this.#cancelPoll = this.#context.after(next.at - now, () => void this.#poll(next.resource));
  }

  async #poll(resource: Resource): Promise<void> {
    this.#isPolling = true;
    this.#schedule = notePolled(this.#schedule, resource, this.#terminal.now());
    try {
      const model = await this.#request(resource);
      this.#isPolling = false;
      this.#change(model());
    } catch (error) {
      this.#end.reject(error);
    }
  }

  /**
   * Sends a request; resolves to the function that puts the response into the model. It is called later, because the model may
   * change until then.
   */
  async #request(resource: Resource): Promise<() => Model> {
    if (resource === 'logs') return this.#requestLogs();
    const service = this.#model.selected ?? '';
    const path = resource === 'details' ? `/v1/services/${encodeURIComponent(service)}/details` : `/v1/${resource}`;
    const result = await callSupervisor(this.#context, { path });
    if (!result.ok) return () => withAway(this.#model, this.#context.wall());
    // A reload may have removed the service meanwhile.
    if (result.status !== 200) return () => this.#model;
    const { body } = result;
    switch (resource) {
      case 'status':
        return () => withStatus(this.#model, body as StatusBody, this.#context.wall());
      case 'graph':
        return () => withGraph(this.#model, (body as { services: readonly GraphNode[] }).services);
      case 'timeline':
        return () => withTimeline(this.#model, body as WireTimeline);
      case 'details':
        return () => withDetails(this.#model, body as DetailsBody);
      case 'gpus':
        return () => withGpuUse(this.#model, (body as GpusBody).gpus);
      case 'history':
        return () => withHistory(this.#model, body as HistoryJson);
      default:
        return resource satisfies never;
    }
  }

  async #requestLogs(): Promise<() => Model> {
    const service = this.#model.selected ?? '';
    // After the clock was set back, new lines have earlier times than known ones.
    const since = Math.min(sinceOf(this.#model.logs.get(service) ?? NO_LINES), Math.floor(this.#context.wall()));
    const lines: LogLineJson[] = [];
    const path = `/v1/logs${query({ service, since })}`;
    const streaming = { take: (line: unknown) => void lines.push(line as LogLineJson), kind: 'once' } as const;
    const result = await streamFromSupervisor(this.#context, { path }, streaming, null);
    if (!result.ok) return () => withAway(this.#model, this.#context.wall());
    return () => withLogs(this.#model, service, result.status === 200 && result.whole ? lines : []);
  }
}

/** Why no supervisor has received a request, in a line. */
function describeAbsence({ refused, looked: [first] }: NoSupervisor): string {
  return refused ?? (first === undefined ? 'no supervisor responds' : `no supervisor responds: ${first}`);
}

function errorOf(body: unknown): string {
  const hasError = body !== null && typeof body === 'object' && 'error' in body;
  return hasError ? String(body.error) : 'the supervisor refused the request';
}
