/* The wallet's page: forms that somebody fills in stay while the rest flips, and balances count up. */
(() => {
  'use strict';
  const page = document.getElementById('wallet');
  if (!page) return;
  const COUNT_MS = 700;

  const figures = (root) => new Map([...root.querySelectorAll('[data-amount]')].map((one) => [one.dataset.currency, one]));

  // Equal to what stands there already, so that page.js leaves it alone with all that was typed and opened.
  function keepForms(fresh) {
    const mine = page.querySelector('#forms'), theirs = fresh.querySelector('#forms');
    if (mine && theirs) theirs.replaceWith(mine.cloneNode(true));
  }

  // What is shown while it counts is a number on its way; where it ends is the server's own text.
  function count(figure, from) {
    const text = figure.textContent, to = Number(figure.dataset.amount);
    const digits = Number(figure.dataset.digits), began = performance.now();
    const form = new Intl.NumberFormat(document.documentElement.lang, {
      style: 'currency', currency: figure.dataset.currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    const end = () => { figure.textContent = text; };
    const step = (time) => {
      const part = Math.min(1, Math.max(0, time - began) / COUNT_MS), eased = 1 - (1 - part) ** 3;
      if (!figure.isConnected) return;
      if (part === 1) end();
      else {
        figure.textContent = form.format(Math.round(from + (to - from) * eased) / 10 ** digits);
        requestAnimationFrame(step);
      }
    };
    requestAnimationFrame(step);
    setTimeout(end, COUNT_MS + 200);    // a tab that is hidden meanwhile draws nothing
  }

  page.addEventListener('live:fresh', (event) => {
    keepForms(event.detail);
    if (document.hidden || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const before = figures(page);
    for (const [currency, figure] of figures(event.detail)) {
      const from = Number(before.get(currency)?.dataset.amount || 0);
      if (from < Number(figure.dataset.amount)) queueMicrotask(() => count(figure, from));
    }
  });
})();
