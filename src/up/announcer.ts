// Writes the supervisor's own log: each announcement as a line after the prefix `svc-super`, or as an object if the plan's
// format is JSON. Leaves out lines below the level. Never decides what is announced.
import type { Pipeline } from '../logs/pipeline.ts';
import type { Sink } from '../logs/sinks.ts';
import type { Announcement } from '../messages/announcement.ts';
import type { VerboseLine } from '../messages/verbose.ts';
import type { LogLevel, Plan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { printable, printableJson } from '../text.ts';

export type Announce = (announcement: Announcement) => void;

type OwnLine = Announcement | VerboseLine;
type WriteLine = (line: OwnLine) => void;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

interface OwnLogParts {
  readonly clock: Pick<Clock, 'wall'>;
  readonly logs: Pick<Pipeline, 'prefix'>;
  readonly sink: Pick<Sink, 'offer'>;
  /** The level of the command line; null: the configuration sets it. */
  readonly level: LogLevel | null;
}

export class OwnLog {
  readonly #parts: OwnLogParts;
  #level: LogLevel;
  #write: WriteLine = () => undefined;

  /** Nothing is printed before apply(). */
  constructor(parts: OwnLogParts) {
    this.#parts = parts;
    this.#level = parts.level ?? 'info';
  }

  /** Prints lines as the plan says from now on. */
  async apply({ log }: Pick<Plan, 'log'>): Promise<void> {
    this.#level = this.#parts.level ?? log.level;
    this.#write = log.format === 'json' ? await writeJson(this.#parts) : writeText(this.#parts, log.time);
  }

  get isVerbose(): boolean {
    return this.#level === 'debug';
  }

  print(line: OwnLine): void {
    if (RANK[line.level] >= RANK[this.#level]) this.#write(line);
  }
}

function writeText({ clock, logs, sink }: OwnLogParts, hasTime: boolean): WriteLine {
  const prefix = logs.prefix('svc-super', 'stderr');
  return ({ level, service, event, text }) => {
    const time = hasTime ? `${new Date(clock.wall()).toISOString()} ` : '';
    const mark = level === 'error' ? 'error: ' : level === 'warn' ? 'warning: ' : level === 'debug' ? 'debug: ' : '';
    // The text of `cleaned-up` begins with the name of its service.
    const about = service === null || event === 'cleaned-up' ? '' : `${service} `;
    sink.offer(Buffer.from(`${prefix}${time}${mark}${printable(`${about}${text}`)}\n`));
  };
}

/** Uses pino, which takes 2 ms to load and is loaded only here. */
async function writeJson({ sink }: OwnLogParts): Promise<WriteLine> {
  const { default: pino } = await import('pino');
  const logger = pino(
    {
      level: 'debug',
      base: { service: 'svc-super', stream: 'stderr' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void sink.offer(Buffer.from(printableJson(line))) },
  );
  return ({ level, service, event, text }) =>
    logger[level]({ event, ...(service !== null && { about: service }) }, text);
}

/** From now on a bug is reported and does not end the process. */
export function reportBugs(announce: Announce): void {
  const report = (error: unknown) => {
    const text = `a bug in svc-super, please report it: ${error instanceof Error ? error.stack : String(error)}`;
    announce({ level: 'error', service: null, event: 'bug', text });
  };
  process.on('uncaughtException', report);
  process.on('unhandledRejection', report);
}
