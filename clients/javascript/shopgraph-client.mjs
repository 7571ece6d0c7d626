// A client for servers that send events to Shopgraph; needs nothing but fetch (Node 18 or newer).
// Events get an id before the first try and keep it, so that sending again stores nothing twice.

import { randomUUID } from "node:crypto";

const BATCH = 100;
const BATCH_BYTES = 900_000; // the API takes 1 MiB
const RETRIED = new Set([0, 408, 429, 500, 502, 503, 504]);

/** Not all events were taken: `rows` tells of those that were, `left` may be sent again. */
export class NotSent extends Error {
  name = this.constructor.name;
  rows = [];
  left = [];
}

/** The API refused a whole request, and would again; `code` says why. */
export class EventsRefused extends NotSent {
  constructor(status, code, message) {
    super(`${status} ${code}: ${message}`);
    Object.assign(this, { status, code });
  }
}

/** The API did not answer, or asked to wait, for longer than the client's patience. */
export class Away extends NotSent {}

export class Shopgraph {
  /** @param {{url: string, key: string, patienceMs?: number, timeoutMs?: number}} options */
  constructor({ url, key, patienceMs = 300_000, timeoutMs = 15_000 }) {
    Object.assign(this, { url: url.replace(/\/$/, "") + "/v1/events", key, patienceMs, timeoutMs });
  }

  /** Send events in batches; resolves to what became of each, in order. */
  async send(events) {
    const complete = events.map((event) => (
      { event_id: randomUUID(), event_time: new Date().toISOString(), ...event }));
    const rows = [];
    for (const batch of batches(complete)) {
      try {
        rows.push(...await this.#deliver(batch));
      } catch (error) {
        throw Object.assign(error, { rows, left: complete.slice(rows.length) });
      }
    }
    return rows;
  }

  async #deliver(batch) {
    const giveUpAt = Date.now() + this.patienceMs;
    for (let pauseMs = 500; ; pauseMs = Math.min(60_000, pauseMs * 2)) {
      const { status, answer, retryAfterMs } = await this.#post(batch);
      // A verdict on each, be the status 202, 413 or 422.
      if (answer?.rows?.length === batch.length) return answer.rows;
      if (!RETRIED.has(status)) throw new EventsRefused(status, answer?.code, answer?.message);
      const waitMs = Math.max(retryAfterMs, pauseMs) * (1 + Math.random() / 2);
      if (Date.now() + waitMs > giveUpAt) {
        throw new Away(`the API did not take the events (last status ${status})`);
      }
      await new Promise((resolve) => { setTimeout(resolve, waitMs); });
    }
  }

  // Status 0: nobody answered.
  async #post(batch) {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "X-API-Key": this.key, "Content-Type": "application/json" },
        body: `{"sent_at":"${new Date().toISOString()}","events":[${batch.join(",")}]}`,
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const retryAfterMs = Number(response.headers.get("Retry-After")) * 1000 || 0;
      const answer = await response.json().catch(() => null);
      return { status: response.status, answer, retryAfterMs };
    } catch {
      return { status: 0, answer: null, retryAfterMs: 0 };
    }
  }
}

function* batches(events) {
  let batch = [];
  let size = 0;
  for (const text of events.map((event) => JSON.stringify(event))) {
    const bytes = Buffer.byteLength(text);
    if (batch.length === BATCH || (batch.length && size + bytes > BATCH_BYTES)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(text);
    size += bytes;
  }
  if (batch.length) yield batch;
}
