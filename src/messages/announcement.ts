// A line of the supervisor's own log, before it is written as text or JSON. Only the type.

export interface Announcement {
  readonly level: 'info' | 'warn' | 'error';
  /** The service that it is about; null: none, or several. */
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}
