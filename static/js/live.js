/*
 * One page, one topic. A push only says that something changed; what it is now is read from the server as the
 * same fragment that painted the page, so no state is drawn twice and a push cannot bring an older balance.
 *
 * The element with data-topic decides:
 *   data-events    counts versions: a version shown is never left for an older one, a gap is read over
 *   (without it)   every update counts, and the fragment itself is read when the socket is away
 *   data-seen      the payer's page: says which version it has shown, and only while somebody can see it
 */
(() => {
  'use strict';
  const page = document.querySelector('[data-topic]');
  if (!page) return;

  const { topic, fragment, events } = page.dataset;
  const counts = Boolean(events);
  const FIRST_POLL_MS = 2000, POLL_MS = counts ? 3000 : 5000, SLOW_POLL_MS = 9000, SLOW_AFTER_MS = 120000;
  const WAITING = ['pending', 'partially_paid', 'failed'];
  const RECHECK_MS = 30000, RECHECK_WAITING_MS = 8000, ACK_MS = 5000, HANG_MS = 20000, TAKEOVER_MS = 5000, READS = 6;
  const REFUSED = [401, 403, 404, 410];
  const signs = document.getElementById('connection'), gone = document.getElementById('gone');
  const jitter = (ms) => ms * (0.8 + 0.2 * Math.random());
  const later = (ms) => new Promise((done) => setTimeout(done, ms));

  let shown = counts ? Number(page.dataset.version) : 0;
  let wanted = shown;         // the newest version anybody has told of
  let said = -1;              // the newest version that `seen` was sent for on this connection
  let joined = false;         // the server has taken our watch
  let answered = null;        // how the last poll went; null: none since the socket left
  let stopped = false;        // refused: asking again would only be noise
  let awaySince = Date.now(), checkedAt = 0, resyncedAt = 0, ticked = Date.now();
  let packetAt = 0, pingInterval = 25000;
  let pollTimer = 0, polls = 0, askedAt = 0, readingAt = 0, debounce = 0;

  /* ---- What is shown, and what is said of it ---- */

  function show(fresh) {
    // page.js swaps it in; a page that knows better (staff.js) prevents that.
    page.dispatchEvent(new CustomEvent('live:fresh', { detail: fresh, bubbles: true, cancelable: true }));
    if (page.dataset.title) document.title = page.dataset.title;
  }

  function seen() {
    if (!page.hasAttribute('data-seen') || document.hidden || !joined) return;
    requestAnimationFrame(() => {
      if (!joined || document.hidden || said >= shown) return;
      said = shown;
      socket.emit('seen', { topic, version: shown });
    });
  }

  function recheckMs() {
    return joined && counts && WAITING.includes(page.dataset.status) ? RECHECK_WAITING_MS : RECHECK_MS;
  }

  function sign() {
    const silent = Date.now() - packetAt > 2 * pingInterval;
    const state = joined && !silent ? 'live'
      : navigator.onLine === false || answered === false ? 'offline'
        : answered ? 'polling' : 'connecting';
    if (page.dataset.connection !== state) page.dataset.connection = state;
    if (signs) signs.hidden = stopped;
    if (signs && signs.dataset.connection !== state) {
      signs.dataset.connection = state;
      signs.textContent = signs.dataset[state];
    }
    return silent;
  }

  /* ---- Reading ---- */

  async function get(url) {
    const gate = new AbortController();
    const timer = setTimeout(() => gate.abort(), HANG_MS);
    try {
      const answer = await fetch(url, { cache: 'no-store', signal: gate.signal });
      // A redirect leads to a login: refused as well.
      if (REFUSED.includes(answer.status) || answer.redirected) stop();
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      return await answer.text();
    } finally {
      clearTimeout(timer);
    }
  }

  async function read() {
    const upto = wanted;
    const holder = document.createElement('template');
    holder.innerHTML = await get(fragment);
    const fresh = holder.content.querySelector(`#${page.id}`);
    const version = counts ? Number(fresh.dataset.version) : upto;
    if (!(version > shown)) return;     // read before something newer was shown
    shown = version;
    wanted = Math.max(wanted, shown);
    show(fresh);
    seen();
  }

  // One read at a time; what is announced meanwhile is read by the next. Bounded: a version that cannot be had
  // now is forgotten, and the next poll or recheck tells of it again if it is real. A read that hangs on a
  // lost connection holds nobody up: the next caller takes over.
  async function refresh() {
    if (Date.now() - readingAt < TAKEOVER_MS) return;
    let mine;
    for (let tries = 0; wanted > shown && tries < READS && !stopped; tries++) {
      mine = readingAt = Date.now();
      if (tries) await later(jitter(125 * 2 ** tries));
      const before = shown;
      await read().then(() => { answered = true; }, () => { answered = false; });
      if (readingAt !== mine) return;
      if (shown > before) tries = -1;
    }
    if (readingAt === mine) readingAt = 0;
    wanted = shown;
    sign();
  }

  function told(version) {
    wanted = counts ? Math.max(wanted, version || 0) : wanted + 1;
    if (wanted <= shown) return;
    if (counts) { refresh(); return; }
    clearTimeout(debounce);
    debounce = setTimeout(refresh, 300);
  }

  /* ---- Polling, while the socket is away ---- */

  async function look() {
    if (!counts) {
      wanted += 1;
      await read();
    } else told(JSON.parse(await get(`${events}?after=${shown}`)).version);
  }

  function check() {
    // The one before has not answered by now: a hung connection. It may still answer, nobody waits for it.
    if (polls && Date.now() - askedAt > POLL_MS / 2) answered = false;
    if (polls >= 3) return;
    polls += 1;
    askedAt = Date.now();
    look().then(() => {
      const back = answered === false && !joined;
      answered = true;
      // The network is back, or what stands behind the server: so may the socket be.
      if (back && socket.connected) join();
      else if (back) hurry();
    }, () => { answered = false; }).finally(() => { polls -= 1; sign(); });
  }

  function poll() {
    clearTimeout(pollTimer);
    pollTimer = 0;
    if (joined || stopped || document.hidden) return;
    check();
    const slow = answered !== false && Date.now() - awaySince > SLOW_AFTER_MS;
    pollTimer = setTimeout(poll, jitter(slow ? SLOW_POLL_MS : POLL_MS));
  }

  function stop() {
    stopped = true;
    clearTimeout(pollTimer);
    clearTimeout(byHand);
    joined = false;
    socket.disconnect();
    answered = false;
    if (gone) gone.hidden = false;
    sign();
  }

  /* ---- The socket ---- */

  // Where the client's file did not arrive, the page lives by polling alone.
  const nobody = { connected: false, on() {}, emit() {}, connect() {}, disconnect() {} };
  const socket = window.io ? window.io({
    autoConnect: false,
    transports: ['websocket'],
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 30000,
    randomizationFactor: 0.5,
    timeout: 5000,
  }) : nobody;
  let byHand = 0, byHandDelay = 0;

  // Each attempt has an engine of its own, and its handshake comes before any event of the socket.
  function listen() {
    const { engine } = socket.io || {};
    if (!engine) return;
    engine.on('handshake', (data) => { pingInterval = data.pingInterval; });
    engine.on('packet', () => { packetAt = Date.now(); });
  }

  function dial() {
    if (stopped) return;
    socket.connect();
    listen();
  }

  // At once instead of after the backoff, unless an attempt is under way.
  function hurry() {
    clearTimeout(byHand);
    if (socket.io && socket.io.engine && socket.io.engine.readyState === 'opening') return;
    leave();
    socket.disconnect();
    dial();
  }

  // For the cases in which the client does not come back by itself: the server sent us away or refused us,
  // or it is connected and mute.
  function again() {
    leave();
    socket.disconnect();
    byHandDelay = Math.min(30000, byHandDelay * 2 || 1000);
    clearTimeout(byHand);
    byHand = setTimeout(dial, byHandDelay * (0.5 + Math.random()));
  }

  function leave() {
    if (joined) {
      joined = false;
      answered = null;
      awaySince = Date.now();
    }
    if (!pollTimer || (answered === null && !polls)) poll();
    sign();
  }

  function join() {
    checkedAt = Date.now();
    socket.timeout(ACK_MS).emit('watch', { topic, after: counts ? shown : null }, (late, ack) => {
      if (late) {
        if (socket.connected) again();    // otherwise the disconnect has been dealt with
        return;
      }
      if (!ack || !ack.ok) { leave(); return; }   // polling tells whether it is us; the recheck asks again
      joined = true;
      byHandDelay = 0;
      clearTimeout(pollTimer);
      pollTimer = 0;
      told(ack.version);      // what came before the watch, or was not pushed since the last recheck
      seen();
      sign();
    });
  }

  socket.on('connect', () => { said = -1; packetAt = Date.now(); join(); });
  socket.on('update', (update) => { if (update && update.topic === topic) told(update.version); });
  socket.on('disconnect', (reason) => { if (reason === 'io server disconnect') again(); else leave(); });
  socket.on('connect_error', () => { if (socket.active) leave(); else again(); });
  if (socket.io) socket.io.on('reconnect_attempt', () => queueMicrotask(listen));

  /* ---- Coming back ---- */

  // A tab shown again, a phone that slept, a network that returned: the page is right before it can be read.
  function resync() {
    if (document.hidden || Date.now() - resyncedAt < 1000) return;
    resyncedAt = Date.now();
    if (stopped) {
      stopped = false;
      gone.hidden = true;
    }
    if (joined) check(); else poll();
    if (!socket.connected || sign()) hurry(); else join();
    seen();
  }

  addEventListener('online', () => { resyncedAt = 0; resync(); });
  addEventListener('offline', sign);
  addEventListener('focus', resync);
  addEventListener('pageshow', (event) => { if (event.persisted) resync(); });
  document.addEventListener('resume', resync);
  document.addEventListener('visibilitychange', resync);
  page.addEventListener('live:refresh', () => { wanted += counts ? 0 : 1; refresh(); });

  setInterval(() => {
    const now = Date.now();
    if (now - ticked > 5000) resync();      // the clock jumped: the device slept
    ticked = now;
    if (sign() && joined) hurry();
    // A socket that seems open may be cut off, and one that lives proves nothing about the queue behind it.
    // Whoever waits for money asks often enough to be right within seconds of either's return.
    else if (socket.connected && !document.hidden && now - checkedAt > recheckMs()) join();
  }, 1000);

  dial();
  pollTimer = setTimeout(poll, FIRST_POLL_MS);    // in case the socket is neither taken nor refused
})();
