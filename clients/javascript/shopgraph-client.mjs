// A client for servers that send events to Shopgraph; needs nothing but fetch (Node 18 or newer).
// Events get an id before the first try and keep it, so that sending again stores nothing twice.

import { randomUUID } from "node:crypto";

const BATCH = 100;
const RETRIED = new Set([0, 429, 500, 502, 503, 504]);

/** The API refused a whole request, and would again; `code` says why. */
export class EventsRefused extends Error {
  constructor(status, code, message) {
    super(`${status} ${code}: ${message}`);
    Object.assign(this, { name: "EventsRefused", status, code });
  }
}

export class Shopgraph {
  /** @param {{url: string, key: string, patienceMs?: number, timeoutMs?: number}} options */
  constructor({ url, key, patienceMs = 300_000, timeoutMs = 15_000 }) {
    Object.assign(this, { url: url.replace(/\/$/, "") + "/v1/events", key, patienceMs, timeoutMs });
  }

  /** Send events in batches; resolves to what became of each, in order. */
  async send(events) {
    const rows = [];
    const complete = events.map((event) => (
      { event_id: randomUUID(), event_time: new Date().toISOString(), ...event }));
    for (let start = 0; start < complete.length; start += BATCH) {
      rows.push(...await this.#deliver(complete.slice(start, start + BATCH)));
    }
    return rows;
  }

  async #deliver(batch) {
    const giveUpAt = Date.now() + this.patienceMs;
    for (let pauseMs = 500; ; pauseMs = Math.min(60_000, pauseMs * 2)) {
      const { status, answer, retryAfterMs } = await this.#post(batch);
      if (status === 202 || (status === 422 && answer.rows)) return answer.rows;
      if (!RETRIED.has(status)) throw new EventsRefused(status, answer.code, answer.message);
      const waitMs = Math.max(retryAfterMs, pauseMs * (0.5 + Math.random() / 2));
      if (Date.now() + waitMs > giveUpAt) throw new Error(`not taken (last status ${status})`);
      await new Promise((resolve) => { setTimeout(resolve, waitMs); });
    }
  }

  // Status 0: nobody answered.
  async #post(batch) {
    try {
      const answer = await fetch(this.url, {
        method: "POST",
        headers: { "X-API-Key": this.key, "Content-Type": "application/json" },
        body: JSON.stringify({ sent_at: new Date().toISOString(), events: batch }),
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const retryAfterMs = Number(answer.headers.get("Retry-After")) * 1000 || 0;
      return { status: answer.status, answer: await answer.json().catch(() => ({})), retryAfterMs };
    } catch {
      return { status: 0, answer: {}, retryAfterMs: 0 };
    }
  }
}
