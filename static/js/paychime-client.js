/*
 * Paychime's small client: a frontend of any kind watches its orders, and knows how it hears of them.
 * No build step. As a classic script it makes `Paychime`; as a module, import `connect` from paychime-client.mjs.
 *
 *   const paychime = Paychime.connect({ url: 'https://pay.example', token: watchToken });
 *   const stop = paychime.subscribe('order-1', ({ status, version, snapshot }) => { ... });
 *   paychime.onTokenSaved(({ tokenId }) => { ... });
 *   paychime.onStatus((status) => { ... });
 *   paychime.disconnect();
 *
 * connect(options), every one of them optional:
 *   url          where Paychime is; our own origin if it is not said
 *   token        a person's JWT or an order's watch_token, or a function that answers one (or a promise of one)
 *                and is asked at every connection. Without it the browser's cookies say who this is.
 *                Never put an API key into a page
 *   io           the official client's `io`, version 4; the global one if it is not said. Without any, polling alone
 *   transports   of the official client; ['websocket'] needs no sticky proxy
 *   salon        the salon whose namespace tells of saved cards; any will do
 *   onStatus     called with (status) whenever it changes
 *   onRefused    called with ({ id, error }) where this order is not ours to watch, or is not there
 *
 * subscribe(id, callback)  calls back with { id, version, status, snapshot, event } for the present state and every
 *                  newer one, each version once. `status` is the word for a page, `snapshot` is what
 *                  GET /api/v1/orders/{id} answers, `event` is null where the state was read and not pushed.
 *                  Answers a function that ends it
 * onTokenSaved(callback)   calls back with { tokenId, timestamp, data } when this person's card was saved. What was
 *                  saved while the socket was away is not told again: read the list of cards when `live` returns
 * seen(id, version)  the payer's page has shown this version; staff see that
 * status           'connecting' at first; 'live' by socket; 'polling' while the socket is away (it goes on trying,
 *                  after 1 s to 30 s); 'offline' while nothing answers
 * onStatus(callback)       as the option; answers a function that ends it
 * disconnect()     ends everything: nothing is called back, asked or kept open after it
 */
(() => {
  'use strict';
  const POLL_MS = 3000, FIRST_POLL_MS = 2000, RECHECK_MS = 30000, ACK_MS = 5000, HANG_MS = 8000, TURN_MS = 15;
  const MIN_DELAY_MS = 1000, MAX_DELAY_MS = 30000;
  const REFUSED = { 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 410: 'not_found' };
  const FINAL = ['not_found', 'bad_request'];
  const jitter = (ms) => ms * (0.5 + Math.random());

  function call(callbacks, told) {
    for (const callback of [...callbacks]) {
      try { callback(told); } catch (error) { console.error(error); }   // one page's fault is not the next one's
    }
  }

  function connect(options = {}) {
    const { token = null, io = globalThis.io, salon = 'any', transports = ['websocket'] } = options;
    const base = (options.url || globalThis.location.origin).replace(/\/+$/, '');
    const orders = new Map();       // id -> what is known of it
    const cards = new Set(), listeners = new Set([options.onStatus].filter(Boolean));
    const sockets = [], timers = new Set(), asks = new Set();
    let status = 'connecting', closed = false;
    let answered = null;            // how the last round of polls went; null: none since the socket left
    let failing = false;            // the socket is away: whoever comes is polled for at once
    let pollTimer = 0, polling = false;

    function later(ms, deed) {
      const timer = setTimeout(() => { timers.delete(timer); deed(); }, ms);
      timers.add(timer);
      return timer;
    }

    /* ---- What is known, and what is said of it ---- */

    function sign() {
      const watched = [...orders.values()].filter((one) => !one.refused);
      const next = closed ? 'offline'
        : socket.connected && watched.every((one) => one.joined) ? 'live'
          : answered === false || globalThis.navigator?.onLine === false ? 'offline'
            : answered ? 'polling' : 'connecting';
      if (next === status) return;
      status = next;
      call(listeners, status);
    }

    function show(one, version, snapshot, event = null) {
      if (closed || !(version > one.shown)) return;
      one.shown = version;
      one.told = { id: one.id, version, status: snapshot.display, snapshot, event };
      call(one.callbacks, one.told);
    }

    function refuse(one, error) {
      if (closed || one.refused) return;
      one.refused = true;
      if (options.onRefused) call([options.onRefused], { id: one.id, error });
    }

    /* ---- Polling, while the socket is away ---- */

    async function ask(one) {
      const gate = new AbortController();
      const timer = later(HANG_MS, () => gate.abort());
      asks.add(gate);
      try {
        const proof = typeof token === 'function' ? await token() : token;
        const after = one.shown ? `?after=${one.shown}` : '';
        const answer = await fetch(`${base}/api/v1/orders/${encodeURIComponent(one.id)}/events${after}`, {
          cache: 'no-store',
          credentials: proof ? 'omit' : 'include',
          headers: proof ? { Authorization: `Bearer ${proof}` } : {},
          signal: gate.signal,
        });
        if (REFUSED[answer.status]) refuse(one, REFUSED[answer.status]);
        if (!answer.ok) throw new Error(String(answer.status));
        const now = await answer.json();
        show(one, now.version, now.snapshot);
      } finally {
        clearTimeout(timer);
        timers.delete(timer);
        asks.delete(gate);
      }
    }

    async function poll() {
      clearTimeout(pollTimer);
      timers.delete(pollTimer);
      const away = [...orders.values()].filter((one) => !one.refused && !(socket.connected && one.joined));
      if (closed || polling || !away.length) return;
      polling = true;
      const rounds = await Promise.allSettled(away.map(ask));
      polling = false;
      const back = answered === false;
      answered = rounds.some((round) => round.status === 'fulfilled');
      if (closed) return;
      sign();
      if (back && answered) hurry();        // the network is back: so may the socket be
      pollTimer = later(jitter(POLL_MS), poll);
    }

    /* ---- The socket ---- */

    async function auth(tell) {
      const { engine } = socket.io;
      try {
        const proof = await (typeof token === 'function' ? token() : token);
        if (socket.io.engine === engine) tell(proof ? { token: proof } : {});
      } catch {
        engine.close();     // no token now: the next attempt asks for one again
      }
    }

    function left() {
      failing = true;
      if ([...orders.values()].some((one) => one.joined)) answered = null;
      for (const one of orders.values()) one.joined = false;
      poll();
      sign();
    }

    // The official client does not come back by itself where the server sent it away or refused it.
    function open(one) {
      let delay = 0;
      const again = () => {
        delay = Math.min(MAX_DELAY_MS, delay * 2 || MIN_DELAY_MS);
        later(jitter(delay), () => { if (!one.active) one.connect(); });
      };
      one.on('connect', () => { delay = 0; });
      one.on('disconnect', (reason) => { if (reason === 'io server disconnect') again(); });
      one.on('connect_error', () => { if (!one.active) again(); });
      sockets.push(one);
      one.connect();
    }

    // At once instead of after the backoff, unless an attempt is under way.
    function hurry() {
      if (closed || socket.connected || socket.io?.engine?.readyState === 'opening') return;
      for (const one of sockets) one.disconnect();
      for (const one of sockets) one.connect();
    }

    function watch(one) {
      if (!socket.connected || one.asking || orders.get(one.id) !== one) return;
      const { wanted } = one;
      one.asking = true;
      socket.timeout(ACK_MS).emit('watch', { topic: `order:${one.id}`, after: one.shown || null }, (late, ack) => {
        one.asking = false;
        if (closed || orders.get(one.id) !== one) return;
        if (late) {
          if (socket.connected) socket.io.engine.close();   // mute: the official client opens another
          return;
        }
        one.joined = ack.ok;
        if (ack.ok) {
          one.refused = false;
          show(one, ack.version, ack.snapshot);
          if (one.wanted > wanted && one.wanted > one.shown) watch(one);    // told of meanwhile
        } else if (FINAL.includes(ack.error)) refuse(one, ack.error);
        else poll();
        sign();
      });
    }

    // In turns, for the server takes so many events a second.
    function watchAll() {
      [...orders.values()].forEach((one, turn) => later(turn * TURN_MS, () => watch(one)));
    }

    function update(told) {
      const one = orders.get(String(told?.topic).replace(/^order:/, ''));
      if (!one || !(told.version > one.shown)) return;
      const gap = one.shown > 0 && told.version > one.shown + 1;
      if (told.snapshot && !gap) show(one, told.version, told.snapshot, told.event);
      else {
        one.wanted = Math.max(one.wanted, told.version);
        watch(one);
      }
    }

    const nobody = { connected: false, on() {}, connect() {}, disconnect() {} };
    const socket = io ? io(base, {
      autoConnect: false,
      forceNew: true,
      transports,
      auth,
      withCredentials: true,
      reconnectionDelay: MIN_DELAY_MS,
      reconnectionDelayMax: MAX_DELAY_MS,
      randomizationFactor: 0.5,
      timeout: ACK_MS,
    }) : nobody;
    socket.on('connect', () => { failing = false; watchAll(); sign(); });
    socket.on('update', update);
    socket.on('disconnect', left);
    socket.on('connect_error', left);

    /* ---- Coming back ---- */

    // A network that returned, a tab shown again: right before it can be read.
    function resync() {
      if (globalThis.document?.hidden) return;
      if (socket.connected) watchAll();
      else {
        poll();
        hurry();
      }
      sign();
    }

    const wakes = [[globalThis, 'online'], [globalThis, 'offline'], [globalThis.document, 'visibilitychange']];
    for (const [where, what] of wakes) where?.addEventListener?.(what, resync);
    // A socket that lives proves nothing about the queue behind it.
    const recheck = setInterval(() => { if (socket.connected) watchAll(); }, RECHECK_MS);
    pollTimer = later(FIRST_POLL_MS, () => { if (!socket.connected) left(); });     // in case the socket is neither taken nor refused
    open(socket);

    return {
      get status() { return status; },

      subscribe(id, callback) {
        const name = String(id);
        if (closed) throw new Error('This client is disconnected.');
        if (!orders.has(name)) {
          orders.set(name, { id: name, callbacks: new Set(), shown: 0, wanted: 0, joined: false, refused: false });
        }
        const one = orders.get(name);
        one.callbacks.add(callback);
        if (one.told) call([callback], one.told);
        else if (socket.connected) watch(one);
        else if (failing) poll();
        sign();
        return () => {
          one.callbacks.delete(callback);
          if (one.callbacks.size || orders.get(name) !== one) return;
          orders.delete(name);
          if (socket.connected) socket.emit('unwatch', { topic: `order:${name}` });
          sign();
        };
      },

      onTokenSaved(callback) {
        cards.add(callback);
        if (io && sockets.length === 1) {
          const inSalon = socket.io.socket(`/ws/payments/salon/${encodeURIComponent(salon)}`, { auth });
          inSalon.on('payment:token-saved', (card) => { if (!closed) call(cards, card); });
          open(inSalon);
        }
        return () => { cards.delete(callback); };
      },

      seen(id, version) {
        if (socket.connected) socket.emit('seen', { topic: `order:${id}`, version });
      },

      onStatus(callback) {
        listeners.add(callback);
        return () => { listeners.delete(callback); };
      },

      disconnect() {
        if (closed) return;
        closed = true;
        for (const [where, what] of wakes) where?.removeEventListener?.(what, resync);
        for (const timer of timers) clearTimeout(timer);
        clearInterval(recheck);
        for (const gate of asks) gate.abort();
        for (const one of sockets) one.off().disconnect();
        orders.clear();
        cards.clear();
        sign();
        listeners.clear();
      },
    };
  }

  globalThis.Paychime = { connect };
})();
