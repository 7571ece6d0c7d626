/** Types of the server client. */

export interface Row {
  index: number;
  event_id: string | null;
  status: "accepted" | "duplicate" | "conflict" | "quarantined" | "rejected";
  code?: string;
  field?: string;
}

export class EventsRefused extends Error {
  status: number;
  code: string;
}

export class Shopgraph {
  constructor(options: { url: string; key: string; patienceMs?: number; timeoutMs?: number });
  send(events: Array<Record<string, unknown>>): Promise<Row[]>;
}
