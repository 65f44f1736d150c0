/* What every page does with JavaScript and can do without: taking in what live.js read, clocks, copying, printing. */
(() => {
  'use strict';
  const root = document.documentElement;
  root.classList.add('js');

  /* ---- A fresh fragment ---- */

  // Only blocks that differ are replaced: an equal one stays, so that a live region does not say it again.
  // What has been typed, and the place of the focus, stay.
  function swap(page, fresh) {
    const active = page.contains(document.activeElement) ? document.activeElement : null;
    const typed = [...page.querySelectorAll('input[id], textarea[id]')].filter((field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked);
    const status = page.dataset.status;
    for (const { name } of [...page.attributes]) {
      if (!fresh.hasAttribute(name)) page.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (name !== 'data-connection') page.setAttribute(name, value);
    }
    const blocks = [...page.children], next = [...fresh.children];
    next.forEach((block, at) => {
      if (!blocks[at]) page.append(block);
      else if (!blocks[at].isEqualNode(block)) blocks[at].replaceWith(block);
    });
    blocks.slice(next.length).forEach((block) => block.remove());
    for (const field of typed) {
      const twin = document.getElementById(field.id);
      if (twin) Object.assign(twin, { value: field.value, checked: field.checked });
    }
    const heading = page.querySelector('h2[tabindex]');
    // What had the focus may be gone with its state (a pay button, once it is paid): the new state takes it.
    if (active && !active.isConnected) {
      const twin = active.id && document.getElementById(active.id);
      (twin || heading || document.getElementById('main')).focus({ preventScroll: true });
    }
    if (heading && status !== page.dataset.status) heading.parentElement.scrollIntoView({ block: 'nearest' });
    tick();
  }

  document.addEventListener('live:fresh', (event) => {
    if (!event.defaultPrevented) swap(event.target, event.detail);
  });

  /* ---- The clock ---- */

  const words = (value, unit) => new Intl.NumberFormat(root.lang, { style: 'unit', unit, unitDisplay: 'long' }).format(value);

  function timeLeft(seconds) {
    if (seconds < 60) return words(seconds, 'second');
    if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    return seconds < 86400 ? words(Math.floor(seconds / 3600), 'hour') : words(Math.floor(seconds / 86400), 'day');
  }

  const ends = new WeakMap();

  // The server says how many seconds are left, for a customer's own clock may be wrong by hours.
  function end(clock) {
    if (!ends.has(clock)) {
      const { seconds, until } = clock.dataset;
      ends.set(clock, seconds ? Date.now() + 1000 * seconds : Date.parse(until));
    }
    return ends.get(clock);
  }

  function tick() {
    for (const clock of document.querySelectorAll('[data-until]')) {
      const seconds = Math.ceil((end(clock) - Date.now()) / 1000);
      const text = seconds > 0 ? clock.dataset.left.replace('{time}', timeLeft(seconds)) : clock.dataset.over;
      if (clock.textContent !== text) clock.textContent = text;
    }
  }

  tick();
  setInterval(tick, 1000);

  /* ---- Buttons ---- */

  // The clipboard is there on https only; a shop tried out in its own network still copies.
  function copyByHand(text) {
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'unseen';
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }

  async function copy(button) {
    const { copy: text, copied } = button.dataset;
    const done = navigator.clipboard
      ? await navigator.clipboard.writeText(text).then(() => true, () => copyByHand(text))
      : copyByHand(text);
    button.focus();
    if (!done || button.dataset.was) return;
    button.dataset.was = button.textContent;
    button.textContent = copied;
    spoken.textContent = copied;
    setTimeout(() => {
      button.textContent = button.dataset.was;
      delete button.dataset.was;
      spoken.textContent = '';
    }, 2000);
  }

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy], [data-print]');
    if (!button) return;
    if (button.hasAttribute('data-print')) print();
    else copy(button);
  });

  // A double click is one click. The server says so too; this spares the second page. What takes longer than a
  // moment is shown at the button and said once.
  const spoken = document.getElementById('spoken'), offline = document.getElementById('offline');
  let waiting = 0;

  document.addEventListener('submit', (event) => {
    const form = event.target, button = event.submitter;
    if (form.method !== 'post' || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    // Offline the browser's own error would take this page away. A second press is believed to know better.
    else if (navigator.onLine === false && !form.dataset.warned) {
      event.preventDefault();
      form.dataset.warned = '1';
      away();
    } else {
      form.dataset.sent = '1';
      if (button) button.setAttribute('aria-busy', 'true');
      waiting = setTimeout(() => { spoken.textContent = spoken.dataset.busy; }, 1000);
    }
  });
  addEventListener('pageshow', () => {
    clearTimeout(waiting);
    spoken.textContent = '';
    for (const form of document.querySelectorAll('[data-sent]')) delete form.dataset.sent;
    for (const button of document.querySelectorAll('button[aria-busy]')) button.removeAttribute('aria-busy');
  });

  /* ---- No connection ---- */

  function away() {
    offline.hidden = navigator.onLine !== false;
    for (const form of offline.hidden ? document.querySelectorAll('[data-warned]') : []) delete form.dataset.warned;
  }
  addEventListener('online', away);
  addEventListener('offline', away);
  away();
})();
