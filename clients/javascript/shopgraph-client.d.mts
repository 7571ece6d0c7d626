/** Types of the server client. */

export interface Row {
  index: number;
  event_id: string | null;
  status: "accepted" | "duplicate" | "conflict" | "quarantined" | "rejected";
  code?: string;
  field?: string;
}

/** Not all events were taken. */
export class NotSent extends Error {
  /** What became of those that were, in order. */
  rows: Row[];
  /** The others, with their ids and times; sending these again stores nothing twice. */
  left: Array<Record<string, unknown>>;
}

/** The API refused a whole request, and would again. */
export class EventsRefused extends NotSent {
  status: number;
  code: string | undefined;
}

/** The API did not answer, or asked to wait, for longer than the client's patience. */
export class Away extends NotSent {}

export class Shopgraph {
  constructor(options: { url: string; key: string; patienceMs?: number; timeoutMs?: number });
  send(events: Array<Record<string, unknown>>): Promise<Row[]>;
}
