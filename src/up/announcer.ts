// Writes the supervisor's own log: each announcement as a line after the prefix `svc-super`, or as an object if the plan's
// format is JSON. Never decides what is announced. Part of the root.
import type { Pipeline } from '../logs/pipeline.ts';
import type { Sink } from '../logs/sinks.ts';
import type { Announcement } from '../messages/announcement.ts';
import type { Plan } from '../plan/plan.ts';
import { printable, printableJson } from '../text.ts';

export type Announce = (announcement: Announcement) => void;

export async function makeAnnouncer({ format }: Plan, logs: Pipeline, sink: Sink): Promise<Announce> {
  const offer = (line: string) => void sink.offer(Buffer.from(line));
  if (format === 'json') return announceJson((line) => offer(printableJson(line)));
  const prefix = logs.prefix('svc-super', 'stderr');
  return ({ level, service, event, text }) => {
    const mark = level === 'error' ? 'error: ' : level === 'warn' ? 'warning: ' : '';
    // The text of `cleaned-up` begins with the name of its service.
    const about = service === null || event === 'cleaned-up' ? '' : `${service} `;
    offer(`${prefix}${mark}${printable(`${about}${text}`)}\n`);
  };
}

/** Uses pino, which takes 2 ms to load and is loaded only here. */
async function announceJson(write: (line: string) => void): Promise<Announce> {
  const { default: pino } = await import('pino');
  const logger = pino(
    {
      base: { service: 'svc-super', stream: 'stderr' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
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
