/* The test page of a payment: one order followed through paychime-client.js, step by step. */
(() => {
  'use strict';
  const get = (id) => document.getElementById(id);
  const words = JSON.parse(get('trial').dataset.words);
  const TOAST_MS = 10000;
  const BAD = ['failed', 'expired', 'cancelled'];
  const state = get('state'), action = get('action');
  let client = null, followed = '';

  const typed = (name) => get(`field-${name}`).value.trim();
  const element = (name, about) => Object.assign(document.createElement(name), about);

  /* ---- What is told ---- */

  function write(text, tone) {
    const row = element('li', {});
    row.append(element('time', { textContent: new Date().toLocaleTimeString(document.documentElement.lang) }), ' ');
    row.append(element('b', { textContent: text }));
    row.dataset.tone = tone;
    get('log').append(row);
    get('log').scrollTop = get('log').scrollHeight;
  }

  function toast(text, tone = 'busy') {
    write(text, tone);
    const one = element('p', { className: 'notice' });
    const close = element('button', { type: 'button', className: 'quiet small', textContent: words.close });
    one.dataset.tone = tone;
    one.append(element('span', { textContent: text }), close);
    close.addEventListener('click', () => one.remove());
    get('toasts').append(one);
    setTimeout(() => one.remove(), TOAST_MS);
  }

  function station(name, tone, text) {
    const one = document.querySelector(`[data-station="${name}"]`);
    if (tone) one.dataset.tone = tone;
    else delete one.dataset.tone;
    one.toggleAttribute('aria-current', tone === 'busy');
    if (one.hasAttribute('aria-current')) one.setAttribute('aria-current', 'step');
    if (text) one.querySelector('.words').textContent = text;
  }

  const end = (status) => (BAD.includes(status) ? 'bad' : ['pending', 'partially_paid'].includes(status) ? '' : 'good');

  function draw({ status, snapshot }, first) {
    const { payment } = snapshot;
    const tone = end(status);
    const waits = Boolean(payment) && payment.status === 'pending' && !tone;
    station('created', payment ? 'good' : tone ? '' : 'busy', payment ? words.created : words.none);
    station('waiting', waits ? 'busy' : payment && tone ? 'good' : '');
    station('end', tone, words[status]);
    const digits = new Intl.NumberFormat('en', { style: 'currency', currency: snapshot.currency }).resolvedOptions();
    get('amount').textContent = new Intl.NumberFormat(document.documentElement.lang, {
      style: 'currency', currency: snapshot.currency,
    }).format(snapshot.amount / 10 ** digits.maximumFractionDigits);
    const said = waits ? words.waiting : words[status];
    if (first) write(said, tone || 'busy');
    else toast(said, tone || 'busy');
  }

  /* ---- Following ---- */

  function follow() {
    if (client) client.disconnect();
    followed = typed('order');
    state.hidden = false;
    client = window.Paychime.connect({
      token: typed('token') || null,
      onStatus: sign,
      onRefused: () => toast(words.refused, 'bad'),
    });
    sign(client.status);
    let first = true;
    client.subscribe(followed, (told) => { draw(told, first); first = false; });
  }

  function sign(status) {
    state.dataset.connection = status;
    state.textContent = words[status];
  }

  /* ---- Calls ---- */

  async function call(path, body) {
    const token = typed('token');
    let answer, told;
    try {
      answer = await fetch(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
        body: JSON.stringify(body),
      });
      told = await answer.json();
    } catch {
      toast(words.unreached, 'bad');
      return null;
    }
    if (answer.ok) return told;
    toast(`${answer.status}: ${told.detail || told.title}`, 'bad');
    return null;
  }

  async function make() {
    const { currency, amount } = get('rail').selectedOptions[0].dataset;
    const made = await call('/api/v1/orders', { amount: Number(amount), currency, description: document.title });
    if (!made) return;
    get('field-order').value = made.id;
    follow();
  }

  function send(url, fields) {
    const form = element('form', { method: 'post', action: url, target: '_blank', rel: 'noopener' });
    for (const [name, value] of Object.entries(fields)) form.append(element('input', { type: 'hidden', name, value }));
    document.body.append(form);
    form.submit();
    form.remove();
  }

  function show({ url, fields, deeplink, ussd_code: code, qr } = {}) {
    action.replaceChildren();
    const link = url || deeplink;
    // A link of a provider, or a page that is opened by POST; anything but http is for a phone's app.
    if (fields) {
      action.append(element('button', { type: 'button', textContent: words.open, onclick: () => send(url, fields) }));
    } else if (link && /^https?:/.test(link)) {
      action.append(element('a', { href: link, target: '_blank', rel: 'noopener', textContent: words.open }));
    } else action.append(element('code', { textContent: code || qr || link || '' }));
    action.hidden = !action.textContent;
  }

  async function start() {
    if (followed !== typed('order') || !client) follow();
    const begun = await call(`/api/v1/orders/${encodeURIComponent(typed('order'))}/payments`, {
      provider: get('rail').value, ...(typed('phone') && { phone: typed('phone') }),
    });
    if (begun) show(begun.action || {});
  }

  get('follow').addEventListener('submit', (event) => { event.preventDefault(); follow(); });
  get('make').addEventListener('click', make);
  get('start').addEventListener('submit', (event) => {
    event.preventDefault();
    if (get('follow').reportValidity()) start();
  });
  for (const button of document.querySelectorAll('[data-simulate]')) {
    button.addEventListener('click', () => {
      if (get('follow').reportValidity()) {
        call('/api/payment/test/simulate', { orderId: typed('order'), status: button.dataset.simulate });
      }
    });
  }
})();
