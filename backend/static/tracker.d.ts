/** Types of the Shopgraph tracker. */

export type ConsentState = "granted" | "denied" | "unknown";

export interface Consent {
  collection?: ConsentState;
  personalisation?: ConsentState;
  marketing?: ConsentState;
}

export interface Options {
  /** Address of the API, such as https://api.shop.example */
  url: string;
  /** A key of scope browser; it may only write events, from listed origins. */
  key: string;
  /** What is known of consent; without collection "granted" nothing is sent or stored. */
  consent?: Consent;
  /** Record a view of the item named by <meta name="shopgraph:item">; default true. */
  auto?: boolean;
  /** Milliseconds that events wait for company; default 250. */
  flushMs?: number;
  /** Milliseconds after which an answer is no longer waited for; default 15000. */
  timeoutMs?: number;
  /** First and longest pause after a failure; defaults 1000 and 60000. */
  retryMs?: number;
  retryCapMs?: number;
  /** An automatic view is told after this at the latest; default 60000. */
  dwellCapMs?: number;
}

/** Further fields of an event, as docs/events.md names them. */
export interface More {
  recommendation_id?: string;
  position?: number;
  quantity?: number;
  price_minor?: number;
  currency?: string;
  coupon_id?: string;
  promotion_id?: string;
  dwell_ms?: number;
  value?: number;
  attributes?: Record<string, unknown>;
}

export interface Line {
  line: number;
  item_id: string;
  quantity?: number;
  price_minor?: number;
  amount_minor?: number;
  currency?: string;
  coupon_id?: string;
}

export interface Stats {
  /** Events that no answer has confirmed yet. */
  queued: number;
  /** Events that had to make room; told to the server with the next batch. */
  dropped: number;
  /** Events that the server did not take. */
  refused: number;
  /** Failures in a row. */
  failures: number;
}

export interface Tracker {
  view(itemId: string, more?: More): void;
  click(itemId: string, more?: More): void;
  cart(itemId: string, more?: More): void;
  uncart(itemId: string, more?: More): void;
  favorite(itemId: string, more?: More): void;
  unfavorite(itemId: string, more?: More): void;
  inquiry(itemId: string, more?: More): void;
  share(itemId: string, channel?: string, more?: More): void;
  review(itemId: string, rating: number, more?: More): void;
  search(query: string, more?: More): void;
  purchase(orderId: string, lines: Line[], more?: More): void;
  refund(orderId: string, lines?: Line[], more?: More): void;
  /** A list was shown, best place first. */
  impression(itemIds: string[], more?: More): void;
  /** Somebody is logged in; call it on every page. */
  identify(userId: string): void;
  /** They are not any more: the next one is another visitor. */
  logout(): void;
  /** What the visitor allows; a purpose that is not named stays as it was. */
  consent(said: Consent): void;
  stats(): Stats;
  /** Send what waits; resolves when the server answered or it will be tried again. */
  flush(): Promise<void>;
}

export function createTracker(options: Options): Tracker;
