/* The staff's pages: rows that keep their place, forms that are not pulled away, keys. */
(() => {
  'use strict';
  const today = document.getElementById('today');
  const list = document.getElementById('orders');
  const order = document.getElementById('order');

  /* ---- The list ---- */

  const bar = document.getElementById('newcomers');
  let latest = null;

  // Rows that are there change in place. New ones are counted and wait for the button; one that the filter no
  // longer takes stays where it is, marked, since what it said may not hold any more.
  function merge(fresh) {
    latest = fresh;
    let newcomers = 0, left = 0;
    for (const row of fresh.querySelectorAll('tbody tr[id]')) {
      const mine = document.getElementById(row.id);
      if (!mine) newcomers += 1;
      else if (Number(row.dataset.version) >= Number(mine.dataset.version) && !mine.isEqualNode(row)) {
        const focused = mine.contains(document.activeElement);
        const twin = row.cloneNode(true);
        mine.replaceWith(twin);
        if (focused) twin.querySelector('a').focus({ preventScroll: true });
      }
    }
    for (const row of list.querySelectorAll('tr[id]')) {
      if (fresh.querySelector(`#${CSS.escape(row.id)}`)) continue;
      row.dataset.left = '';
      row.title = today.dataset.left;
      left += 1;
    }
    const calls = fresh.querySelector('#attention');
    const same = !calls || calls.dataset.state === document.getElementById('attention').dataset.state;
    bar.hidden = !newcomers && !left && same;
    bar.textContent = newcomers ? bar.dataset.new.replace('{count}', newcomers) : bar.dataset.changed;
  }

  function reveal() {
    const focused = list.contains(document.activeElement) ? document.activeElement.closest('tr').id : '';
    const whole = latest.cloneNode(true);
    list.replaceChildren(...whole.querySelectorAll('tbody tr'));
    const calls = whole.querySelector('#attention');
    if (calls) document.getElementById('attention').replaceWith(calls);
    bar.hidden = true;
    const row = (focused && document.getElementById(focused)) || list;
    const link = row.querySelector('a');
    if (link) link.focus({ preventScroll: true });
  }

  if (today) {
    today.addEventListener('live:fresh', (event) => {
      event.preventDefault();
      merge(event.detail);
    });
    bar.addEventListener('click', reveal);
  }

  /* ---- One order ---- */

  const filling = () => [...order.querySelectorAll('details')].some((details) => details.open);
  const changed = document.getElementById('changed');

  if (order) {
    order.addEventListener('live:fresh', (event) => {
      if (filling()) event.preventDefault();
      changed.hidden = !filling() || event.detail.dataset.version === order.dataset.version;
    });
    changed.addEventListener('click', () => {
      for (const details of order.querySelectorAll('details')) details.open = false;
      order.dispatchEvent(new Event('live:refresh'));
    });
  }

  /* ---- Keys ---- */

  function move(step) {
    const links = [...list.querySelectorAll('th a')];
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1)];
    if (next) next.focus();
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
    const search = document.getElementById('search');
    if (event.key === '/' && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (list && (event.key === 'j' || event.key === 'k')) move(event.key === 'j' ? 1 : -1);
  });
})();
