// A line of the supervisor's own log, before it is written as text or JSON. Types only: up/announcer.ts writes it.

/** `event`: a name for programs, such as `unclaimed-signal`; `text`: a sentence without the service's name. */
export interface Announcement {
  readonly level: 'info' | 'warn' | 'error';
  /** The service that the line is about; null: no service, or several. */
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}
