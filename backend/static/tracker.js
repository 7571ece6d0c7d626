// Shopgraph tracker: tells the shop's recommendation backend what a visitor does.
// Never throws into the shop's page, never blocks it, stores nothing without consent.

const PREFIX = "shopgraph.";
const QUEUED = PREFIX + "q.";
const DROPPED = PREFIX + "d.";
const LIMIT = 1000;
const BATCH = 100;
const BEACON_BYTES = 60 * 1024;
const SESSION_MS = 30 * 60 * 1000;
const NOT_AGAIN = [400, 410, 422];
const STOP = [401, 403];
const PURPOSES = ["collection", "personalisation", "marketing"];

const newId = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

// Disk where the browser lets us and the visitor agreed, memory otherwise; never throws.
class Store {
  constructor() {
    this.memory = new Map();
    this.mayPersist = false;
    try {
      this.disk = window.localStorage;
      this.disk.getItem(PREFIX);
    } catch {
      this.disk = null;
    }
  }

  get(name) {
    if (this.memory.has(name)) return this.memory.get(name);
    try {
      return this.disk ? this.disk.getItem(name) : null;
    } catch {
      return null;
    }
  }

  set(name, text) {
    try {
      if (this.disk && this.mayPersist) {
        this.disk.setItem(name, text);
        this.memory.delete(name);
        return;
      }
    } catch {
      // Full or forbidden: the page keeps it for as long as it lives.
    }
    this.memory.set(name, text);
  }

  remove(name) {
    this.memory.delete(name);
    try {
      if (this.disk) this.disk.removeItem(name);
    } catch {
      // Then it was never there.
    }
  }

  names(prefix) {
    const found = new Set([...this.memory.keys()].filter((name) => name.startsWith(prefix)));
    try {
      for (let k = 0; this.disk && k < this.disk.length; k += 1) {
        const name = this.disk.key(k);
        if (name && name.startsWith(prefix)) found.add(name);
      }
    } catch {
      // Memory only.
    }
    return [...found].sort();
  }

  persist() {
    this.mayPersist = true;
    for (const [name, text] of [...this.memory]) this.set(name, text);
  }

  wipe() {
    this.mayPersist = false;
    for (const name of this.names(PREFIX)) this.remove(name);
  }
}

class Tracker {
  constructor(options) {
    this.options = { flushMs: 250, timeoutMs: 15000, retryMs: 1000, retryCapMs: 60000,
      dwellCapMs: 60000, auto: true, ...options };
    this.url = this.options.url.replace(/\/$/, "") + "/v1/events";
    this.store = new Store();
    this.tab = newId();
    this.count = 0;
    this.refused = 0;
    this.failures = 0;
    this.notBefore = 0;
    this.stopped = false;
    this.user = null;
    this.state = {};
    this.shown = null;
    this.waiting = this.store.names(QUEUED);
    const saved = this.read("consent", {});
    this.consent(saved.collection === "granted" ? saved : this.options.consent || {});
    this.listen();
    if (this.options.auto) this.autoView();
  }

  // --- what the shop calls -------------------------------------------------------------------

  view(itemId, more) { this.endView(); this.item("view", itemId, { ...more, depth: true }); }
  click(itemId, more) { this.item("click", itemId, { ...more, depth: true }); }
  cart(itemId, more) { this.item("cart", itemId, more); }
  uncart(itemId, more) { this.item("uncart", itemId, more); }
  favorite(itemId, more) { this.item("favorite", itemId, more); }
  unfavorite(itemId, more) { this.item("unfavorite", itemId, more); }
  inquiry(itemId, more) { this.item("inquiry", itemId, more); }
  share(itemId, channel, more) { this.item("share", itemId, { channel, ...more }); }
  review(itemId, rating, more) { this.item("review", itemId, { rating, ...more }); }
  search(query, more) { this.add("search", { query, ...more }); }
  purchase(orderId, lines, more) { this.add("purchase", { order_id: orderId, lines, ...more }); }
  refund(orderId, lines, more) { this.add("refund", { order_id: orderId, lines, ...more }); }

  impression(itemIds, more) {
    const impression = itemIds.map((item_id, place) => ({ item_id, position: place + 1 }));
    this.add("impression", { impression, ...more });
  }

  // Who is logged in; told once per visitor, kept in memory only.
  identify(userId) {
    this.user = userId;
    const told = [...`${this.visitor()} ${userId}`].reduce(
      (sum, letter) => (Math.imul(sum, 31) + letter.codePointAt(0)) | 0, 7);
    if (this.store.get(PREFIX + "identified") === String(told)) return;
    this.add("identify", {});
    this.store.set(PREFIX + "identified", String(told));
  }

  // The next one on this device is somebody else.
  logout() {
    this.endView();
    this.user = null;
    for (const name of ["visitor", "session", "identified"]) this.store.remove(PREFIX + name);
  }

  // {collection, personalisation, marketing}: "granted", "denied" or "unknown"; each stays as it
  // was when it is not named.
  consent(said) {
    for (const purpose of PURPOSES) if (said[purpose]) this.state[purpose] = said[purpose];
    if (this.state.collection === "denied") {
      this.store.wipe();
      this.shown = null;
      this.waiting = [];
    } else if (this.state.collection === "granted") {
      this.store.persist();
      this.store.set(PREFIX + "consent", JSON.stringify(this.state));
      this.soon(0);
    }
  }

  // Numbers for the shop's own monitoring.
  stats() {
    return { queued: this.store.names(QUEUED).length, dropped: this.dropped(),
      refused: this.refused, failures: this.failures };
  }

  async flush() {
    if (!this.mayCollect() || this.state.collection !== "granted") return;
    if (this.stopped || Date.now() < this.notBefore) return;
    try {
      await this.alone(() => this.sendAll());
    } catch {
      this.later(null);
    }
  }

  // --- events --------------------------------------------------------------------------------

  item(kind, itemId, { depth, ...more } = {}) {
    if (depth) {
      const session = this.session();
      session.depth = (session.depth || 0) + 1;
      this.write("session", session);
      more.attributes = { click_depth: session.depth, ...more.attributes };
    }
    this.add(kind, { item_id: itemId, ...more });
  }

  add(kind, fields, at = Date.now()) {
    if (!this.mayCollect()) return;
    const event = {
      event_id: newId(),
      event_type: kind,
      event_time: new Date(at).toISOString(),
      anonymous_id: this.visitor(),
      user_id: this.user || undefined,
      device_id: this.id("device"),
      session_id: this.session().id,
      context: this.context(),
      ...fields,
    };
    if (this.waiting.length >= LIMIT) this.makeRoom();
    this.count += 1;
    const order = String(at).padStart(15, "0") + String(this.count).padStart(9, "0");
    const name = `${QUEUED}${order}.${this.tab}`;
    this.store.set(name, JSON.stringify(event));
    this.waiting.push(name);
    this.soon(this.options.flushMs);
  }

  makeRoom() {
    this.waiting = this.store.names(QUEUED);
    const tooMany = this.waiting.splice(0, Math.max(0, this.waiting.length - LIMIT + 1));
    for (const name of tooMany) this.store.remove(name);
    const mine = DROPPED + this.tab;
    this.store.set(mine, String(Number(this.store.get(mine) || 0) + tooMany.length));
  }

  dropped() {
    const names = this.store.names(DROPPED);
    return names.reduce((sum, name) => sum + Number(this.store.get(name) || 0), 0);
  }

  context() {
    const agent = navigator.userAgent;
    let referrer;
    try {
      referrer = document.referrer ? new URL(document.referrer).host : undefined;
    } catch {
      referrer = undefined;
    }
    const isSmall = /Mobi|Android.*Mobile|iPhone/.test(agent);
    return {
      device_type: isSmall ? "mobile" : /iPad|Android|Tablet/.test(agent) ? "tablet" : "desktop",
      locale: navigator.language,
      tz_offset_min: -new Date().getTimezoneOffset(),
      page: location.pathname.slice(0, 500),
      referrer_host: referrer,
      automated: navigator.webdriver === true ? true : undefined,
    };
  }

  visitor() { return this.id("visitor"); }

  id(name) {
    const known = this.store.get(PREFIX + name);
    if (known) return known;
    const made = newId();
    this.store.set(PREFIX + name, made);
    return made;
  }

  session() {
    const now = Date.now();
    const held = this.read("session", null);
    const session = held && now - held.last < SESSION_MS ? held : { id: newId(), depth: 0 };
    if (session.last === undefined || now - session.last > 10000) {
      session.last = now;
      this.write("session", session);
    }
    return session;
  }

  read(name, otherwise) {
    try {
      return JSON.parse(this.store.get(PREFIX + name)) || otherwise;
    } catch {
      return otherwise;
    }
  }

  write(name, value) { this.store.set(PREFIX + name, JSON.stringify(value)); }

  mayCollect() { return this.state.collection !== "denied"; }

  // --- views with dwell time -----------------------------------------------------------------

  autoView() {
    const named = document.querySelector('meta[name="shopgraph:item"]');
    if (!named || !named.content) return;
    this.endView();
    this.shown = { item: named.content, at: Date.now(), seen: 0, since: this.visibleSince() };
    this.viewTimer = setTimeout(() => this.endView(), this.options.dwellCapMs);
  }

  visibleSince() { return document.visibilityState === "visible" ? Date.now() : null; }

  endView() {
    const shown = this.shown;
    if (!shown) return;
    this.shown = null;
    clearTimeout(this.viewTimer);
    if (shown.since !== null) shown.seen += Date.now() - shown.since;
    const session = this.session();
    session.depth = (session.depth || 0) + 1;
    this.write("session", session);
    const attributes = { click_depth: session.depth };
    this.add("view", { item_id: shown.item, dwell_ms: shown.seen, attributes }, shown.at);
  }

  // --- sending -------------------------------------------------------------------------------

  soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), Math.max(ms, this.notBefore - Date.now()));
  }

  // One tab at a time, so that two do not send the same queue.
  async alone(work) {
    if (navigator.locks) {
      await navigator.locks.request(PREFIX + "send", { ifAvailable: true }, async (lock) => {
        if (lock) await work();
        else this.soon(this.options.retryMs);
      });
      return;
    }
    const held = this.read("lock", { until: 0 });
    if (held.tab !== this.tab && held.until > Date.now()) {
      this.soon(this.options.retryMs);
      return;
    }
    this.write("lock", { tab: this.tab, until: Date.now() + this.options.timeoutMs });
    await work();
    this.store.remove(PREFIX + "lock");
  }

  async sendAll() {
    let size = BATCH;
    for (;;) {
      const names = this.store.names(QUEUED).slice(0, size);
      if (names.length === 0 || this.state.collection !== "granted") break;
      const answer = await this.post(names);
      if (answer.status === 413 && names.length > 1) {
        size = Math.ceil(names.length / 2);
      } else if (answer.ok || answer.status === 413 || NOT_AGAIN.includes(answer.status)) {
        await this.settle(names, answer);
      } else {
        this.stopped = STOP.includes(answer.status);
        this.later(answer.headers.get("Retry-After"));
        return;
      }
    }
    this.waiting = this.store.names(QUEUED);
    this.failures = 0;
  }

  async post(names) {
    const dropped = {};
    for (const name of this.store.names(DROPPED)) dropped[name] = Number(this.store.get(name));
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.options.timeoutMs);
    try {
      const answer = await fetch(this.url, {
        method: "POST",
        body: this.envelope(names, Object.values(dropped).reduce((sum, n) => sum + n, 0)),
        headers: { "Content-Type": "application/json", "X-API-Key": this.options.key },
        signal: abort.signal,
        credentials: "omit",
      });
      if (answer.ok) this.told(dropped);
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  envelope(names, dropped, key) {
    const events = names.map((name) => this.event(name)).filter(Boolean);
    return JSON.stringify({ key, sent_at: new Date().toISOString(),
      dropped: dropped || undefined, events });
  }

  // An event says what is allowed now, not when it was queued.
  event(name) {
    try {
      return { ...JSON.parse(this.store.get(name)), consent: this.state };
    } catch {
      return null;
    }
  }

  told(dropped) {
    for (const [name, told] of Object.entries(dropped)) {
      const left = Number(this.store.get(name) || 0) - told;
      if (left > 0) this.store.set(name, String(left));
      else this.store.remove(name);
    }
  }

  async settle(names, answer) {
    let refused = answer.ok ? 0 : names.length;
    try {
      if (answer.ok) refused = (await answer.json()).rejected || 0;
    } catch {
      // Stored all the same.
    }
    this.refused += refused;
    for (const name of names) this.store.remove(name);
  }

  later(retryAfter) {
    this.failures += 1;
    const { retryMs, retryCapMs } = this.options;
    const most = Math.min(retryCapMs, retryMs * 2 ** Math.min(this.failures - 1, 16));
    const jittered = most * (0.5 + Math.random() / 2);
    const told = Number(retryAfter) * 1000 || 0;
    this.notBefore = Date.now() + Math.max(jittered, told);
    if (!this.stopped) this.soon(0);
  }

  // The page goes away: what waits is sent without waiting for an answer, and stays queued until
  // an answer confirms it. The event ids make the second sending harmless.
  leave() {
    if (this.shown && this.shown.since !== null) this.endView();
    if (this.state.collection !== "granted" || this.stopped) return;
    let names = [];
    let bytes = 200;
    for (const name of this.store.names(QUEUED)) {
      const size = new Blob([this.store.get(name) || ""]).size + 200;
      if (bytes + size > BEACON_BYTES && names.length) {
        this.beacon(names);
        names = [];
        bytes = 200;
      }
      if (size < BEACON_BYTES) {
        names.push(name);
        bytes += size;
      }
    }
    if (names.length) this.beacon(names);
  }

  beacon(names) {
    const body = new Blob([this.envelope(names, 0, this.options.key)], { type: "text/plain" });
    try {
      if (navigator.sendBeacon && navigator.sendBeacon(this.url, body)) return;
      fetch(this.url, { method: "POST", body, keepalive: true, credentials: "omit" })
        .catch(() => {});
    } catch {
      // It stays queued.
    }
  }

  listen() {
    const on = (target, name, does) => target.addEventListener(name, (event) => {
      try {
        does(event);
      } catch {
        // The shop's page goes on.
      }
    });
    on(document, "visibilitychange", () => {
      if (document.visibilityState === "hidden") this.leave();
      else if (this.shown) this.shown.since = Date.now();
    });
    on(window, "pagehide", () => this.leave());
    on(window, "pageshow", (event) => {
      if (!event.persisted) return;
      if (this.options.auto) this.autoView();
      this.soon(0);
    });
    on(window, "online", () => {
      this.notBefore = 0;
      this.soon(0);
    });
    // Another tab withdrew consent.
    on(window, "storage", (event) => {
      const isGone = event.key === PREFIX + "consent" && event.newValue === null;
      if (isGone && this.state.collection === "granted") this.consent({ collection: "denied" });
    });
  }
}

const CALLS = ["view", "click", "cart", "uncart", "favorite", "unfavorite", "inquiry", "share",
  "review", "search", "purchase", "refund", "impression", "identify", "logout", "consent", "stats",
  "flush"];

// A tracker whose calls never throw: what goes wrong is told to the console once, and forgotten.
export function createTracker(options) {
  let tracker;
  let hasWarned = false;
  const guarded = (does) => (...given) => {
    try {
      return does(...given);
    } catch (error) {
      if (!hasWarned) console.warn("shopgraph", error);
      hasWarned = true;
      return undefined;
    }
  };
  guarded(() => { tracker = new Tracker(options); })();
  return Object.fromEntries(
    CALLS.map((name) => [name, guarded((...given) => tracker && tracker[name](...given))]));
}
