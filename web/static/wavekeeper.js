// What the console does beside htmx: says whether the page is live, keys, and
// follows an open log. Every page works without it.
(() => {
  'use strict';
  const $ = (id) => document.getElementById(id);

  // The zone of the viewer, told to the server by a cookie; the next page uses it.
  try {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !document.cookie.includes('zone=' + encodeURIComponent(zone))) {
      document.cookie = 'zone=' + encodeURIComponent(zone) + '; path=/; max-age=31536000; samesite=lax';
    }
  } catch { /* the server's zone is used */ }

  // Live, reconnecting, stale since.
  const live = $('live');
  const words = $('live-words');
  const stream = $('stream');
  let heard = Date.now();
  let out = false; // signed out, or no longer let in
  let behind = false; // the server says that what is shown may be out of date
  let state = 'off';
  const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const say = (next, text) => {
    if (!live || (state === next && next !== 'stale')) return;
    state = next;
    live.dataset.live = next;
    words.textContent = text;
  };
  if (stream && live) {
    const on = (name, fn) => document.addEventListener('htmx:' + name, fn);
    const good = () => { heard = Date.now(); say('live', 'live'); };
    on('sse:after:connection', () => { behind = false; good(); });
    on('sse:after:message', (e) => {
      if (e.detail.message?.event) return; // it says how the page stands, see below
      heard = Date.now();
      if (!behind) good();
      afterChange();
    });
    stream.addEventListener('alive', () => { behind = false; good(); });
    stream.addEventListener('stale', () => {
      behind = true;
      say('stale', 'stale since ' + clock(heard) + ', the database is away');
    });
    on('sse:error', (e) => {
      if (e.detail.status === 401) {
        out = true;
        return say('stale', 'signed out since ' + clock(Date.now()) + ': load the page again');
      }
      say('reconnecting', 'reconnecting, as of ' + clock(heard));
    });
    on('sse:before:connection', (e) => {
      if (out) { e.detail.connection.cancelled = true; return; } // asking again would be refused again
      if (state !== 'off') say('reconnecting', 'reconnecting, as of ' + clock(heard));
    });
    on('error', () => {
      if (out) return;
      say('reconnecting', 'reconnecting, as of ' + clock(heard));
      setTimeout(() => stream.dispatchEvent(new CustomEvent('wk:retry')), 5000);
    });
    setInterval(() => {
      if (!out && !behind && !document.hidden && Date.now() - heard > 40000) say('stale', 'stale since ' + clock(heard));
    }, 5000);
  }

  // What waits for the viewer is in the title too.
  let waiting = null;
  const afterChange = () => {
    const n = $('waiting-count')?.dataset.waiting;
    if (n === undefined || n === waiting) return;
    document.title = (n !== '0' ? '(' + n + ') ' : '') + document.title.replace(/^\(\d+\) /, '');
    if (waiting !== null && $('announce')) {
      $('announce').textContent = n === '0' ? 'Nothing waits for you' : n + ' waiting for you';
    }
    waiting = n;
  };
  afterChange();

  // The log follows its end until it is scrolled away from it.
  const watchLog = () => {
    const log = $('log-lines');
    if (!log || log.dataset.watched) return;
    log.dataset.watched = '1';
    let follow = !location.hash;
    const end = () => { if (follow) log.scrollTop = log.scrollHeight; };
    log.addEventListener('scroll', () => { follow = log.scrollHeight - log.scrollTop - log.clientHeight < 24; });
    new MutationObserver(end).observe(log, { childList: true, subtree: true, characterData: true });
    end();
  };
  watchLog();

  // "All" check boxes.
  document.addEventListener('change', (e) => {
    const all = e.target.closest('[data-checks]');
    if (all) {
      document.querySelectorAll('input[type=checkbox][name="' + all.dataset.checks + '"]').forEach((c) => {
        if (!c.disabled && c.offsetParent !== null) c.checked = all.checked;
      });
    }
    const form = e.target.closest('form[data-auto]');
    if (form) form.requestSubmit();
  });

  // Keys.
  const goes = { h: '/', s: '/servers', p: '/plans', r: '/rollouts', a: '/history' };
  let g = 0;
  const row = (step) => {
    const rows = [...document.querySelectorAll('tbody tr a.row-link')].filter((a) => a.offsetParent !== null);
    if (!rows.length) return;
    const i = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, i < 0 ? 0 : i + step))].focus();
  };
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'Escape') {
      document.querySelectorAll('details.person[open]').forEach((d) => { d.open = false; });
      if (document.activeElement?.id === 'search') document.activeElement.blur();
      return;
    }
    if (e.target.closest('input, textarea, select, [contenteditable]')) return;
    if (g && Date.now() - g < 1500 && goes[e.key]) { g = 0; location.assign(goes[e.key]); return; }
    g = 0;
    if (e.key === 'g') g = Date.now();
    else if (e.key === '/') { e.preventDefault(); $('search')?.focus(); }
    else if (e.key === '?') $('help')?.showModal();
    else if (e.key === 'j') row(1);
    else if (e.key === 'k') row(-1);
  });
})();
