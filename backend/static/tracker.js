/**
 * Shopgraph tracker. An event gets its id and time once, waits in a bounded queue that survives a
 * reload, and leaves it only when the server has answered for it. Nothing here throws into the page.
 */

const MAX_BYTES = 60000; // of a body: browsers let a leaving page send 64 KiB
const MAX_ROWS = 500;
const MAX_STORED = 1e6; // characters; the rest of the storage is the shop's
const SESSION_MS = 30 * 60e3;

const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID(); // only on https pages
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16)).join('-');
};
const size = (text) => new TextEncoder().encode(text).length;
const short = (text) => text.slice(0, 500);
const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** Storage that never throws; what it will not take stays in memory. */
function storage() {
  const memory = new Map();
  let local = null;
  try {
    local = window.localStorage;
    local.getItem('');
  } catch {
    // forbidden: memory it is
  }
  const attempt = (act) => {
    try {
      return local && act();
    } catch {
      return null;
    }
  };
  return {
    /** Whether the choice allows more than memory. */
    isOpen: false,
    get(key) {
      return memory.get(key) ?? attempt(() => local.getItem(key));
    },
    /** Keep it; says whether it will survive a reload. */
    set(key, text, isSmall = true) {
      const done = this.isOpen && isSmall && attempt(() => (local.setItem(key, text), true));
      if (done) memory.delete(key);
      else memory.set(key, text);
      return Boolean(done);
    },
    remove(key) {
      memory.delete(key);
      attempt(() => local.removeItem(key));
    },
    keys(prefix) {
      const found = new Set([...memory.keys(), ...(attempt(() => Object.keys(local)) ?? [])]);
      return [...found].filter((key) => key.startsWith(prefix)).sort();
    },
    /** Move what waits in memory to where it survives. */
    settle() {
      for (const [key, text] of [...memory]) this.set(key, text);
    },
  };
}

/** Start a tracker; see tracker.d.ts for what it takes and gives. */
export function createTracker(options = {}) {
  const {
    key,
    host = new URL(import.meta.url).origin,
    source = 'web',
    name = 'sg',
    maxQueue = 1000,
    flushMs = 2000,
    timeoutMs = 15000,
    retryMs = 1000,
    maxRetryMs = 60000,
    dwellMs = 30000,
    auto = true,
    onError = () => {},
  } = options;
  const url = host.replace(/\/$/, '') + '/v1/events';
  const at = (part) => `${name}.${part}`;
  const QUEUE = at('q.');
  const OPEN = at('o.');
  const store = storage();
  const tab = uuid();
  const counts = { delivered: 0, refused: 0 };
  const inFlight = new Set();
  const beaconed = new Set();
  let choice = { collection: 'unknown' };
  let queue = null; // keys, oldest first; null: to be read again
  let stored = 0; // characters, roughly
  let sequence = 0;
  let failures = 0;
  let rows = MAX_ROWS;
  let isStopped = false; // the server will take nothing from this page
  let isSending = false;
  let timer = null;
  let due = Infinity;
  let view = null; // the view that still counts its dwell time

  const complain = (error) => {
    try {
      onError(error);
    } catch {
      // the shop's own fault is the shop's
    }
  };
  /** A call that never throws into the page. */
  const safe =
    (act) =>
    (...args) => {
      try {
        return act(...args);
      } catch (error) {
        complain(error);
        return null;
      }
    };
  const isGranted = () => choice.collection === 'granted';
  const isDenied = () => choice.collection === 'denied';

  // Who

  const visitor = () => {
    const known = store.get(at('visitor'));
    if (known) return known;
    const made = uuid();
    store.set(at('visitor'), made);
    return made;
  };
  const session = (isView) => {
    const now = Date.now();
    let found = parse(store.get(at('session')));
    if (!(found && Math.abs(now - found.at) < SESSION_MS)) found = { id: uuid(), depth: 0 };
    found.at = now;
    if (isView) found.depth += 1;
    store.set(at('session'), JSON.stringify(found));
    return found;
  };
  const logout = () => {
    for (const part of ['visitor', 'session', 'user']) store.remove(at(part));
  };

  // The queue

  const keys = () => {
    if (queue === null) {
      queue = store.keys(QUEUE);
      stored = queue.reduce((sum, k) => sum + (store.get(k) ?? '').length, 0);
    }
    return queue;
  };
  const forget = (k) => {
    store.remove(k);
    beaconed.delete(k);
    if (queue) queue = queue.filter((other) => other !== k);
  };
  const dropped = (k) => parse(store.get(k))?.dropped ?? 0;
  const put = (k, row) => {
    // An event says how many it drove out, and is counted once as it is: so are they.
    while (keys().length >= maxQueue) {
      const oldest = queue.find((other) => !inFlight.has(other));
      if (!oldest) break;
      row.dropped = (row.dropped ?? 0) + 1 + dropped(oldest);
      forget(oldest);
    }
    const text = JSON.stringify(row);
    if (size(text) > MAX_BYTES - 500) {
      counts.refused += 1;
      complain(new Error('an event may have 59 KB'));
      return;
    }
    store.set(k, text, stored + text.length < MAX_STORED);
    queue.push(k);
    stored += text.length;
    arm(queue.length % 50 ? flushMs : 0);
  };
  const stamp = () =>
    `${Date.now()}`.padStart(14, '0') + (sequence++ % 1e6).toString().padStart(6, '0') + tab.slice(0, 8);

  // Making events

  const context = () => {
    const found = {
      page: short(location.pathname),
      locale: navigator.language,
      tz_offset_min: -new Date().getTimezoneOffset(),
      device_type: /Mobi/.test(navigator.userAgent) ? 'mobile' : 'desktop',
    };
    if (document.referrer) found.referrer_host = short(new URL(document.referrer).host);
    if (navigator.webdriver) found.automated = true;
    return found;
  };
  const event = (type, fields, extra = {}) => {
    const isView = type === 'view';
    const { id, depth } = session(isView);
    const row = {
      event_type: type,
      event_id: uuid(),
      event_time: new Date().toISOString(),
      source,
      anonymous_id: visitor(),
      session_id: id,
      context: context(),
      ...extra,
      ...fields,
    };
    const user = store.get(at('user'));
    if (user && !row.user_id) row.user_id = user;
    if (isView) row.attributes = { ...row.attributes, click_depth: depth };
    if (isGranted()) row.consent = choice;
    return row;
  };
  const track = (type, fields, extra) => {
    if (isDenied()) return null;
    const row = event(type, fields, extra);
    put(QUEUE + stamp(), row);
    return row.event_id;
  };

  // Views, which last

  const closeView = () => {
    if (!view) return;
    const { k, since, deadline } = view;
    view = null;
    clearTimeout(deadline);
    const row = parse(store.get(OPEN + k));
    if (!row) return; // wiped, or sent by another tab that thought this one dead
    row.dwell_ms ??= since === null ? 0 : Math.round(performance.now() - since);
    store.remove(OPEN + k);
    put(QUEUE + k, row);
  };
  const openView = (itemId, extra) => {
    closeView();
    if (isDenied()) return null;
    const row = event('view', { item_id: itemId }, extra);
    const k = stamp();
    store.set(OPEN + k, JSON.stringify(row));
    const since = document.hidden ? null : performance.now();
    view = { k, since, deadline: setTimeout(safe(closeView), dwellMs) };
    return row.event_id;
  };
  /** Views of pages that died without a word. */
  const adopt = () => {
    for (const k of store.keys(OPEN)) {
      const made = Number(k.slice(OPEN.length, OPEN.length + 14));
      const row = view?.k !== k.slice(OPEN.length) && Date.now() - made > dwellMs + 5000 && parse(store.get(k));
      if (!row) continue;
      store.remove(k);
      put(QUEUE + k.slice(OPEN.length), row);
    }
  };
  const page = () => {
    const item = document.querySelector('meta[name="shopgraph-item"]')?.content;
    if (item) return openView(item);
    closeView();
    return null;
  };

  // Sending

  /** Events that fit into one body, oldest first. */
  const batch = (skip) => {
    const taken = [];
    let bytes = 300 + size(String(key));
    for (const k of keys()) {
      if (skip?.has(k)) continue;
      const text = store.get(k);
      if (text === null) continue; // another tab has sent it
      bytes += size(text) + 1;
      if (taken.length === rows || bytes > MAX_BYTES) break;
      taken.push([k, text]);
    }
    return taken;
  };
  const body = (taken) =>
    `{"key":${JSON.stringify(key)},"sent_at":"${new Date().toISOString()}",` +
    `"events":[${taken.map(([, text]) => text).join(',')}]}`;

  function arm(delay) {
    const when = Date.now() + delay;
    if (isStopped || !isGranted() || (timer !== null && when >= due)) return;
    clearTimeout(timer);
    due = when;
    timer = setTimeout(() => {
      timer = null;
      flush();
    }, delay);
  }
  const backOff = (retryAfter) => {
    const grown = Math.min(maxRetryMs, retryMs * 2 ** failures++) * (0.5 + Math.random() / 2);
    const asked = Math.min(3600e3, (Number(retryAfter) || 0) * 1000);
    if (asked) store.set(at('wait'), String(Date.now() + asked));
    arm(Math.max(grown, asked * (1 + Math.random() / 10)));
  };
  const waiting = () => {
    const left = (Number(store.get(at('wait'))) || 0) - Date.now();
    return left > 0 && left <= 3600e3 ? left : 0;
  };

  const post = async (text) => {
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), timeoutMs);
    try {
      const headers = { 'Content-Type': 'text/plain' }; // needs no preflight
      const how = { method: 'POST', body: text, headers, credentials: 'omit', signal: control.signal };
      const response = await fetch(url, how);
      return { status: response.status, wait: response.headers.get('Retry-After'), told: parse(await response.text()) };
    } finally {
      clearTimeout(limit);
    }
  };

  /** Send one batch; says whether to go on with the next. */
  const sendOne = async (taken) => {
    const { status, wait, told } = await post(body(taken));
    const answers = told?.rows;
    if (Array.isArray(answers) && answers.length === taken.length && (status === 202 || status === 422)) {
      // Every row has its final answer; one that was rejected will be rejected again.
      answers.forEach((row, i) => {
        forget(taken[i][0]);
        counts[row.status === 'rejected' ? 'refused' : 'delivered'] += 1;
        if (row.status === 'rejected') complain(new Error(`event refused: ${row.code} ${row.field ?? ''}`));
      });
      failures = 0;
      rows = MAX_ROWS;
      return true;
    }
    if (status === 400 || status === 413 || status === 422) {
      if (taken.length > 1) {
        rows = taken.length >> 1;
        return true;
      }
      forget(taken[0][0]);
      counts.refused += 1;
      complain(new Error(`event refused: ${told?.code}`));
      return true;
    }
    if (status > 400 && status < 500 && ![408, 425, 429].includes(status)) {
      isStopped = true; // the key or the address is wrong; the next page may know better
      complain(new Error(`nothing is taken from this page: ${told?.code}`));
      return false;
    }
    backOff(wait);
    return false;
  };

  const sendAll = async () => {
    queue = null;
    adopt();
    for (;;) {
      const taken = isGranted() && !isStopped ? batch() : [];
      if (!taken.length) return;
      taken.forEach(([k]) => inFlight.add(k));
      try {
        if (!(await sendOne(taken))) return;
      } catch {
        backOff(0); // offline, refused, too slow
        return;
      } finally {
        inFlight.clear();
      }
    }
  };

  /** One tab at a time, where pages have locks (https); elsewhere the server tells the doubles. */
  const alone = (act) =>
    navigator.locks ? navigator.locks.request(at('lock'), { ifAvailable: true }, (lock) => lock && act()) : act();
  async function flush() {
    if (isSending || isStopped || !isGranted()) return;
    const left = waiting();
    if (left) {
      arm(left);
      return;
    }
    isSending = true;
    try {
      await alone(sendAll);
    } catch (error) {
      complain(error);
    } finally {
      isSending = false;
      if (timer === null && (keys().length || store.keys(OPEN).length > (view ? 1 : 0))) arm(flushMs);
    }
  }

  /** The page may be gone in a moment: hand all to the browser, and keep it until confirmed. */
  const leave = () => {
    closeView();
    if (isStopped || !isGranted() || waiting()) return;
    for (;;) {
      const taken = batch(beaconed);
      if (!taken.length) return;
      const text = body(taken);
      let isTaken = false;
      try {
        isTaken = navigator.sendBeacon(url, new Blob([text], { type: 'text/plain' }));
      } catch {
        // some blockers throw
      }
      if (!isTaken) {
        const how = { method: 'POST', body: text, keepalive: true, credentials: 'omit' };
        try {
          fetch(url, how).catch(() => {});
        } catch {
          // it stays in the queue
        }
        return;
      }
      taken.forEach(([k]) => beaconed.add(k));
    }
  };

  // Consent

  const wipe = () => {
    clearTimeout(view?.deadline);
    clearTimeout(timer);
    view = timer = null;
    for (const k of store.keys(at(''))) if (k !== at('consent')) store.remove(k);
    queue = null;
    beaconed.clear();
  };
  const decide = (purposes) => {
    const before = choice;
    choice = { ...before, ...purposes };
    const isNew = JSON.stringify(choice) !== JSON.stringify(before); // not said again
    if (isNew) choice.at = purposes.at ?? new Date();
    if (isDenied()) wipe();
    store.isOpen = !(choice.collection === 'unknown');
    if (!store.isOpen) return;
    store.set(at('consent'), JSON.stringify(choice));
    if (!isGranted() || before.collection === 'granted') return;
    // What was done while nobody had been asked is told with its own time, and with the consent.
    for (const k of [...store.keys(QUEUE), ...store.keys(OPEN)]) {
      const row = parse(store.get(k));
      if (row && !row.consent) store.set(k, JSON.stringify({ ...row, consent: choice }));
    }
    store.settle();
    arm(0);
  };
  const recall = () => {
    const known = parse(store.get(at('consent')));
    if (known && JSON.stringify(known) !== JSON.stringify(choice)) decide(known);
  };

  // The page

  const listeners = [];
  const on = (target, type, act) => {
    const safely = safe(act);
    target.addEventListener(type, safely, true);
    listeners.push(() => target.removeEventListener(type, safely, true));
  };
  on(window, 'pagehide', leave);
  on(document, 'visibilitychange', () => {
    if (document.hidden) return leave();
    if (view && view.since === null) view.since = performance.now();
    return arm(flushMs);
  });
  on(window, 'pageshow', (shown) => {
    if (!shown.persisted) return;
    // Out of the back/forward cache: a new visit of the page, and the world went on meanwhile.
    queue = null;
    recall();
    arm(0);
    if (auto) page();
  });
  on(window, 'online', () => arm(0));
  on(window, 'storage', (change) => {
    if (change.key === null || change.key.startsWith(QUEUE)) queue = null;
    if (change.key === at('consent')) recall();
  });
  if (auto) {
    on(document, 'click', (click) => {
      const item = click.target.closest?.('[data-shopgraph-item]');
      if (!item) return;
      const list = item.closest('[data-shopgraph-recommendation]');
      const extra = {};
      if (list) extra.recommendation_id = list.dataset.shopgraphRecommendation;
      if (item.dataset.shopgraphPosition) extra.position = Number(item.dataset.shopgraphPosition);
      track('click', { item_id: item.dataset.shopgraphItem }, extra);
    });
  }

  const onItem = (type) => safe((itemId, extra) => track(type, { item_id: itemId }, extra));
  const tracker = {
    view: safe(openView),
    click: onItem('click'),
    cart: onItem('cart'),
    uncart: onItem('uncart'),
    favorite: onItem('favorite'),
    unfavorite: onItem('unfavorite'),
    inquiry: onItem('inquiry'),
    share: onItem('share'),
    review: safe((itemId, rating, extra) => track('review', { item_id: itemId, rating }, extra)),
    search: safe((query, extra) => track('search', { query: short(query) }, extra)),
    purchase: safe((orderId, lines, extra) =>
      track('purchase', { order_id: orderId, lines: lines.map((line, i) => ({ line: i + 1, ...line })) }, extra),
    ),
    refund: safe((orderId, extra) => track('refund', { order_id: orderId }, extra)),
    impression: safe((items, extra) => {
      const shown = items.map((item, i) => (typeof item === 'string' ? { item_id: item, position: i + 1 } : item));
      return track('impression', { impression: shown }, extra);
    }),
    identify: safe((userId) => {
      const known = store.get(at('user'));
      if (isDenied() || known === userId) return null;
      if (known) logout(); // somebody else: not the visitor that the first one was
      store.set(at('user'), userId);
      return track('identify', { user_id: userId });
    }),
    logout: safe(() => {
      closeView();
      logout();
    }),
    consent: safe((purposes) => decide(typeof purposes === 'string' ? { collection: purposes } : purposes)),
    page: safe(page),
    flush: () => flush(),
    stats: () => ({ ...counts, queued: keys().length, dropped: keys().reduce((n, k) => n + dropped(k), 0) }),
    ids: safe(() => (isDenied() ? null : { visitor: visitor(), session: session().id })),
    close: safe(() => {
      leave();
      clearTimeout(timer);
      listeners.forEach((remove) => remove());
    }),
  };
  safe(() => {
    recall();
    if (options.consent) tracker.consent(options.consent);
    if (auto) page();
    if (isGranted() && (keys().length || store.keys(OPEN).length)) arm(0);
  })();
  return tracker;
}
