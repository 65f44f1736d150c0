/* The test page of the sockets: one connection in any vocabulary, and every event with its time. */
(() => {
  'use strict';
  const get = (id) => document.getElementById(id);
  const words = JSON.parse(get('trial').dataset.words);
  const KEPT = 500, ACK_MS = 5000;
  const log = get('log'), copy = get('copy'), hint = get('field-id-hint');
  let socket = null;

  const chosen = () => get('vocabulary').selectedOptions[0].dataset;
  const typed = (name) => get(`field-${name}`).value.trim();
  const list = (text) => text.split(' ').filter(Boolean);

  /* ---- The log ---- */

  function write(how, event, payload, tone = '') {
    const row = document.createElement('li');
    const at = new Date();
    const time = Object.assign(document.createElement('time'), { dateTime: at.toISOString() });
    time.textContent = at.toISOString().slice(11, 23);
    const name = Object.assign(document.createElement('b'), { textContent: event });
    const kind = Object.assign(document.createElement('small'), { textContent: words[how] });
    row.append(time, ' ', kind, ' ', name);
    if (tone) row.dataset.tone = tone;
    if (payload !== undefined) {
      row.append(Object.assign(document.createElement('pre'), { textContent: JSON.stringify(payload, null, 1) }));
    }
    log.append(row);
    while (log.children.length > KEPT) log.firstElementChild.remove();
    log.scrollTop = log.scrollHeight;
  }

  get('clear').addEventListener('click', () => log.replaceChildren());
  // Before page.js, which copies what stands in data-copy.
  copy.addEventListener('click', () => {
    copy.dataset.copy = [...log.children].map((row) => row.innerText.replace(/\s*\n\s*/g, ' ')).join('\n');
  });

  /* ---- The connection ---- */

  function sign(state) {
    get('state').dataset.connection = state;
    get('state').textContent = words[state];
  }

  function leave() {
    if (socket) socket.off().disconnect();
    socket = null;
    sign('offline');
  }

  function join() {
    leave();
    const { namespace } = chosen();
    const place = namespace.replace('*', encodeURIComponent(typed('salon')));
    const token = typed('token');
    socket = window.io(location.origin + place, {
      forceNew: true,
      transports: get('transports').value.split(','),
      auth: token ? { token } : {},
      reconnectionDelay: 1000,
      reconnectionDelayMax: 30000,
    });
    sign('connecting');
    write('here', 'connect', { namespace: place });
    socket.on('connect', () => {
      sign('live');
      const { engine } = socket.io;
      write('here', 'connected', { id: socket.id, transport: engine.transport.name }, 'good');
      engine.on('upgrade', (transport) => write('here', 'upgrade', { transport: transport.name }));
    });
    socket.on('connect_error', (error) => {
      sign(socket.active ? 'connecting' : 'offline');
      write('here', 'connect_error', { message: error.message }, 'bad');
    });
    socket.on('disconnect', (reason) => {
      sign(socket.active ? 'connecting' : 'offline');
      write('here', 'disconnect', { reason }, 'bad');
    });
    socket.onAny((event, ...told) => {
      const ack = typeof told.at(-1) === 'function' ? told.pop() : null;
      write('heard', event, told.length > 1 ? told : told[0], 'busy');
      if (!ack) return;
      ack();
      write('sent', words.acknowledged);
    });
  }

  function say(event, payload) {
    if (!socket) join();
    write('sent', event, payload);
    socket.timeout(ACK_MS).emit(event, ...[payload].filter((one) => one !== undefined), (late, answer) => {
      if (late) write('answered', event, words.silent, 'bad');
      else write('answered', event, answer, answer && answer.ok ? 'good' : 'bad');
    });
  }

  function watched() {
    const { prefix } = chosen();
    const id = typed('id');
    return prefix && !id.includes(':') && !['orders', 'wallet'].includes(id) ? prefix + id : id;
  }

  get('connect').addEventListener('submit', (event) => { event.preventDefault(); join(); });
  get('disconnect').addEventListener('click', () => { leave(); write('here', 'disconnect'); });
  get('watch').addEventListener('submit', (event) => {
    event.preventDefault();
    for (const name of list(chosen().join)) say(name, { [chosen().idField]: watched() });
  });
  get('leave').addEventListener('click', () => {
    for (const name of list(chosen().leave)) say(name, { [chosen().idField]: watched() });
  });

  /* ---- The vocabulary ---- */

  function choose() {
    const { namespace, idField, join: joins, calls } = chosen();
    get('in-salon').hidden = !namespace.endsWith('*');
    hint.textContent = idField || '–';
    get('nothing').hidden = Boolean(joins);
    for (const button of get('watch').querySelectorAll('button')) button.disabled = !joins;
    get('calls').replaceChildren(...list(calls).map((name) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: name });
      button.className = 'quiet';
      button.addEventListener('click', () => say(name));
      return button;
    }));
  }

  get('vocabulary').addEventListener('change', () => { if (socket) leave(); choose(); });
  choose();

  /* ---- Calls ---- */

  async function call(path, said, about) {
    write('sent', `POST ${path}`, said);
    try {
      const answer = await fetch(path, { method: 'POST', ...about });
      const told = answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : undefined;
      write('answered', String(answer.status), told, answer.ok ? 'good' : 'bad');
    } catch {
      write('answered', words.unreached, undefined, 'bad');
    }
  }

  get('simulate')?.addEventListener('submit', (event) => {
    event.preventDefault();
    const watching = chosen().idField === 'reference' ? 'reference' : 'orderId';
    const named = typed('about') ? get('named').value : watching;
    const said = { [named]: typed('about') || typed('id').replace(/^order:/, ''), status: get('outcome').value };
    const token = typed('token');
    call('/api/payment/test/simulate', said, {
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(said),
    });
  });

  get('test')?.addEventListener('submit', (event) => {
    event.preventDefault();
    call(location.pathname, { order: typed('order') }, { body: new FormData(event.target) });
  });
})();
