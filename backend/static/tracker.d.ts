/** The browser tracker of Shopgraph; docs/tracker.md explains it. */

export type ConsentState = 'granted' | 'denied' | 'unknown';

/** What the shopper allowed; without `collection: 'granted'` nothing leaves memory. */
export interface Consent {
  collection?: ConsentState;
  personalisation?: ConsentState;
  marketing?: ConsentState;
}

export interface Options {
  /** A key of scope `browser`. */
  key: string;
  /** Where the API is; left out: where the script came from. */
  host?: string;
  /** The source that the events name; left out: `web`. */
  source?: string;
  /** Where everything in localStorage begins; left out: `sg`. */
  name?: string;
  /** What is already known about consent; left out: what was last said, else unknown. */
  consent?: Consent | ConsentState;
  /** Views of `<meta name="shopgraph-item">`, clicks on `data-shopgraph-item`; left out: true. */
  auto?: boolean;
  /** Most events that wait; beyond it the oldest is dropped and counted. Left out: 1000. */
  maxQueue?: number;
  /** How long an event may wait for others. Left out: 2000. */
  flushMs?: number;
  /** How long an answer may take. Left out: 15000. */
  timeoutMs?: number;
  /** First pause after a failure; each further one is twice as long. Left out: 1000. */
  retryMs?: number;
  /** Longest pause that the tracker chooses by itself. Left out: 60000. */
  maxRetryMs?: number;
  /** Longest dwell time; a view is sent when it is left, or after this. Left out: 30000. */
  dwellMs?: number;
  /** Told about refused events and wrong calls; the tracker itself never throws. */
  onError?: (error: unknown) => void;
}

/** Fields that any event may have; docs/events.md has them all. */
export interface Extra {
  recommendation_id?: string;
  promotion_id?: string;
  coupon_id?: string;
  position?: number;
  quantity?: number;
  price_minor?: number;
  amount_minor?: number;
  currency?: string;
  value?: number;
  query?: string;
  channel?: string;
  attributes?: Record<string, unknown>;
}

export interface Line {
  item_id: string;
  /** Left out: its place in the list, from 1. */
  line?: number;
  quantity?: number;
  price_minor?: number;
  amount_minor?: number;
  currency?: string;
  coupon_id?: string;
}

export interface RefundExtra extends Extra {
  /** Left out: the whole order. */
  lines?: (Line & { line: number })[];
}

export interface Shown {
  item_id: string;
  position: number;
}

export interface Stats {
  /** Events that the server has. */
  delivered: number;
  /** Events that the server, or the size limit, refused for good. */
  refused: number;
  /** Events that wait. */
  queued: number;
  /** Events dropped from a full queue and not yet reported. */
  dropped: number;
}

/** The id of the event; null where nothing was recorded. */
export type EventId = string | null;

export interface Tracker {
  view(itemId: string, extra?: Extra): EventId;
  click(itemId: string, extra?: Extra): EventId;
  cart(itemId: string, extra?: Extra): EventId;
  uncart(itemId: string, extra?: Extra): EventId;
  favorite(itemId: string, extra?: Extra): EventId;
  unfavorite(itemId: string, extra?: Extra): EventId;
  inquiry(itemId: string, extra?: Extra): EventId;
  share(itemId: string, extra?: Extra): EventId;
  review(itemId: string, rating: number, extra?: Extra): EventId;
  search(query: string, extra?: Extra): EventId;
  purchase(orderId: string, lines: Line[], extra?: Extra): EventId;
  refund(orderId: string, extra?: RefundExtra): EventId;
  /** Ids in the order shown, or ids with positions. */
  impression(items: (string | Shown)[], extra?: Extra): EventId;
  /** The visitor turned out to be this customer; null if that was known already. */
  identify(userId: string): EventId;
  /** What follows is another visitor's, in another session. */
  logout(): void;
  /** What the shopper chose; `denied` stops at once and wipes everything. */
  consent(choice: Consent | ConsentState): void;
  /** A page of a single-page shop was shown: ends the running view, begins that of the new page. */
  page(): EventId;
  /** Send now what waits. */
  flush(): Promise<void>;
  stats(): Stats;
  ids(): { visitor: string; session: string } | null;
  /** Hand over what waits and listen no more. */
  close(): void;
}

export function createTracker(options: Options): Tracker;
