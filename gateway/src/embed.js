// What happens when a visitor sends a form of a landing page? Every <form data-leadgate> is sent in the background, under
// an id of its own, and again until it has arrived. Without this script, or in a browser that does not know what it
// needs, the same form is posted by the browser. How a page uses it: docs/landing-pages.md.
//
// Comments and indentation are left out of what is served.
(() => {
  'use strict';
  const doc = document, win = window, HOUR = 3600e3;
  if (!win.fetch || !win.AbortController || !win.crypto || doc['leadgate.js']) return;
  doc['leadgate.js'] = true;

  const script = doc.currentScript;
  const home = script && script.src ? new URL(script.src) : null;

  // ---- what is kept in the browser: without storage, in this page only

  const memory = {};
  const load = (key) => {
    try { return JSON.parse(localStorage.getItem('leadgate:' + key)); } catch (_) { return memory[key]; }
  };
  const save = (key, value) => {
    memory[key] = value;
    try { localStorage.setItem('leadgate:' + key, JSON.stringify(value)); } catch (_) { /* not allowed here */ }
  };
  const forget = (key) => {
    delete memory[key];
    try { localStorage.removeItem('leadgate:' + key); } catch (_) { /* not allowed here */ }
  };
  const kept = (prefix) => {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith('leadgate:' + prefix));
      return names.map((name) => name.slice(9));
    } catch (_) { return []; }
  };

  // ---- where the visitor came from: the first visit, and the last one that an advertisement or another site brought

  const MARK = /^(utm_\w{1,30}|[gdy]clid|[gw]braid|ysclid|fbclid|msclkid|ttclid|twclid|li_fat_id|rb_clickid|roistat)$/;
  const page = location.href.split('#')[0];
  const visits = (() => {
    const now = { at: Date.now(), page };
    new URLSearchParams(location.search).forEach((value, name) => {
      const mark = name.toLowerCase();
      if (value && MARK.test(mark) && !now[mark]) now[mark] = value.slice(0, 500);
    });
    const marked = Object.keys(now).length > 2;
    const from = doc.referrer;
    if (from && from.split('/')[2] !== location.host) now.referrer = from;
    const young = (visit) => (visit && now.at - visit.at < 90 * 24 * HOUR ? visit : null);
    const may = !script || script.getAttribute('data-remember') !== 'no';
    let last = may && young(load('last'));
    if (marked || now.referrer || !last) last = now;
    const first = (may && young(load('first'))) || last;
    if (may) {
      save('first', first);
      save('last', last);
    }
    return { first, last };
  })();

  const cookie = (name) => (doc.cookie.match('(?:^|; )' + name + '=([^;]*)') || [])[1];

  // Adds what is known; what the form itself says comes first.
  const enrich = (body) => {
    const add = (name, value) => {
      if (value && !body.get(name)) body.set(name, String(value).slice(0, 2000));
    };
    const tell = (visit, prefix) => Object.keys(visit).forEach((name) => {
      if (name !== 'at' && (name !== 'page' || prefix)) add(prefix + name, visit[name]);
    });
    const { first, last } = visits;
    tell(last, '');
    if (first.at !== last.at) tell(first, 'first_');
    add('page', page);
    add('page_title', doc.title);
    add('ga_client_id', cookie('_ga'));
    add('ym_client_id', cookie('_ym_uid'));
    add('fbp', cookie('_fbp'));
    add('fbc', cookie('_fbc'));
    add('time_on_page', (performance.now() / 1e3).toFixed(1));
    add('leadgate_at', new Date().toISOString());
  };

  // ---- what the visitor is told

  const TEXTS = {
    en: {
      sending: 'Sending…', waiting: 'Still sending…', success: 'Thank you! We have received your request.',
      failure: 'Your request could not be sent yet; we keep trying.', refused: 'Your request could not be taken.',
      call: 'Please call us:', human: 'Please confirm that you are a person.',
    },
    ru: {
      sending: 'Отправляем…', waiting: 'Всё ещё отправляем…', success: 'Спасибо! Мы получили вашу заявку.',
      failure: 'Заявку пока не удалось отправить, мы пробуем ещё.', refused: 'Заявку не удалось принять.',
      call: 'Пожалуйста, позвоните нам:', human: 'Подтвердите, пожалуйста, что вы человек.',
    },
  };
  const said = (form, name) => form.getAttribute('data-' + name);
  const text = (form, name) => {
    const lang = (form.closest('[lang]') || doc.documentElement).lang.slice(0, 2);
    return said(form, name) || (TEXTS[lang] || TEXTS.en)[name];
  };
  const make = (parent, name, attributes) => {
    const made = parent.appendChild(doc.createElement(name));
    Object.keys(attributes).forEach((key) => made.setAttribute(key, attributes[key]));
    return made;
  };
  const hide = (element) => {
    element.hidden = true;
    element.style.setProperty('display', 'none', 'important');
  };
  const buttons = (form) => form.querySelectorAll('button:not([type=button]),[type=submit],[type=image]');

  const show = (form, state) => {
    const own = known(form), { status } = own;
    const busy = state === 'sending' || state === 'waiting';
    const bad = state === 'failure' || state === 'refused';
    form.setAttribute('data-leadgate-state', state);
    form.setAttribute('aria-busy', busy);
    status.setAttribute('role', bad ? 'alert' : 'status');
    status.textContent = text(form, state);
    // A button that is disabled loses the focus, and gets it back.
    if (busy && form.contains(doc.activeElement)) own.focused = doc.activeElement;
    buttons(form).forEach((button) => { button.disabled = busy; });
    if (bad && own.focused && doc.activeElement === doc.body) own.focused.focus();
    const phone = said(form, 'phone');
    if (bad && phone) {
      status.append(' ' + text(form, 'call') + ' ');
      make(status, 'a', { href: 'tel:' + phone.replace(/[^+\d]/g, '') }).textContent = phone;
    }
  };
  const announce = (form, name, id) => {
    (form || doc).dispatchEvent(new CustomEvent('leadgate:' + name, { bubbles: true, detail: { id } }));
  };

  // ---- the forms of the page

  const forms = new WeakMap();

  // Where the form posts to: its own action, or the channel that it or the script's address names.
  const address = (form) => {
    const own = form.getAttribute('action') || '';
    if (own.includes('/in/')) return new URL(own, doc.baseURI).href;
    const channel = said(form, 'leadgate') || (home && home.searchParams.get('channel'));
    return channel && home ? new URL('in/' + channel, home).href : '';
  };

  const known = (form) => {
    if (forms.has(form)) return forms.get(form);
    if (address(form)) form.setAttribute('action', address(form));
    form.setAttribute('method', 'post');
    const field = form.querySelector('[name=leadgate_hp]') || make(
      make(form, 'div', { hidden: '' }), 'input', { name: 'leadgate_hp', tabindex: -1, autocomplete: 'off' });
    // Styles of the page may show what is only marked as hidden.
    hide(field.closest('[hidden]') || field);
    const status = form.querySelector('[data-leadgate-status]') || make(form, 'p', { 'data-leadgate-status': '' });
    status.setAttribute('role', 'status');
    status.setAttribute('tabindex', -1);
    forms.set(form, { status });
    return forms.get(form);
  };

  // A file stays on the visitor's disk; its name goes along.
  const collect = (form, button) => {
    const body = new URLSearchParams();
    new FormData(form).forEach((value, name) => {
      if (!PROOFS.includes(name)) body.append(name, typeof value === 'string' ? value : value.name);
    });
    if (button && button.name) body.append(button.name, button.value);
    body.delete('leadgate_id');
    return body;
  };

  // ---- proofs that the visitor is a person

  const WIDGETS = {
    turnstile: ['cf-turnstile-response', 'turnstile'],
    smartcaptcha: ['smart-token', 'smartCaptcha'],
    hcaptcha: ['h-captcha-response', 'hcaptcha'],
  };
  const PROOFS = ['altcha', 'g-recaptcha-response'].concat(Object.keys(WIDGETS).map((name) => WIDGETS[name][0]));
  const answer = (form, name) => {
    const field = form && form.querySelector('[name="' + name + '"]');
    return field ? field.value : '';
  };

  // Asked for an answer once; whoever cannot give one is not kept out.
  const mustAnswer = (form, state) => {
    const [field, api] = WIDGETS[said(form, 'captcha')] || [];
    if (!field || !win[api] || answer(form, field) || state.asked) return false;
    state.asked = true;
    return true;
  };

  const prove = async (body, post, form) => {
    if (post.captcha === 'altcha') {
      if (!fresh(post.work)) {
        const ready = solving[post.url];
        delete solving[post.url];
        post.work = fresh(ready) ? ready : begun(post.url);
        post.proof = await post.work.proof.catch((error) => {
          delete post.work;
          throw error;
        });
      }
      if (post.proof) body.set('altcha', post.proof);
      return;
    }
    PROOFS.forEach((name) => {
      if (answer(form, name)) body.set(name, answer(form, name));
    });
    const [field] = WIDGETS[post.captcha] || [];
    if (field && !body.get(field)) body.set('captcha', 'unavailable');
  };

  // ---- ALTCHA's proof of work: a counter is sought whose hash begins as the challenge says

  // SHA-256 of up to 13 words: crypto.subtle is slower at this, and missing on pages without https.
  const K = [], H = [], w = new Int32Array(64);
  for (let n = 2, primes = []; K.length < 64; n += 1) {
    if (primes.every((prime) => n % prime)) {
      primes.push(n);
      if (H.length < 8) H.push((Math.sqrt(n) * 2 ** 32) | 0);
      K.push((Math.cbrt(n) * 2 ** 32) | 0);
    }
  }
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  const sha256 = (words) => {
    w.fill(0);
    w.set(words);
    w[words.length] = 1 << 31;
    w[15] = words.length * 32;
    for (let i = 16; i < 64; i += 1) {
      const p = w[i - 15], q = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (turn(p, 7) ^ turn(p, 18) ^ (p >>> 3)) + (turn(q, 17) ^ turn(q, 19) ^ (q >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = H;
    for (let i = 0; i < 64; i += 1) {
      const s = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + s) | 0; d = c; c = b; b = a; a = (s + t) | 0;
    }
    return [a, b, c, d, e, f, g, h].map((word, i) => (word + H[i]) | 0);
  };
  const words = (hex) => (hex.match(/.{8}/g) || []).map((part) => parseInt(part, 16) | 0);
  const hex = (list) => list.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');

  const solving = {};
  const solve = async (url) => {
    const given = await fetch(url + '/challenge', { headers: { accept: 'application/json' }, credentials: 'omit' });
    if (given.status === 429 || given.status > 499) throw given;
    if (!given.ok) return '';
    const challenge = await given.json();
    const { nonce, salt, cost, keyPrefix } = challenge.parameters;
    const begin = words(salt + nonce), wanted = words(keyPrefix);
    for (let counter = 0; counter < 1e6; counter += 1) {
      let found = begin.concat(counter);
      for (let i = 0; i < cost; i += 1) found = sha256(found);
      if (wanted.every((word, i) => word === found[i])) {
        return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey: hex(found) } }));
      }
      if (counter % 400 === 399) await pause(0);
    }
    return '';
  };
  // Good for less time than the gateway gives it.
  const fresh = (work) => work && Date.now() - work.at < HOUR / 6;
  const begun = (url) => ({ at: Date.now(), proof: solve(url) });
  // Begins while the visitor still writes.
  const prepare = (form) => {
    const url = address(form);
    if (said(form, 'captcha') !== 'altcha' || !url || fresh(solving[url])) return;
    const work = begun(url);
    solving[url] = work;
    work.proof.catch(() => { if (solving[url] === work) delete solving[url]; });
  };

  // ---- sending

  const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
  const wakers = {};
  let blocked = '';

  const attempt = async (post, form) => {
    const body = new URLSearchParams(post.body);
    await prove(body, post, form);
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 20e3);
    try {
      return await fetch(post.url, {
        method: 'POST', body, headers: { accept: 'application/json' }, credentials: 'omit', signal: stop.signal,
        // The request outlives the page, which the browser grants to small ones.
        keepalive: String(body).length < 6e4,
      });
    } finally { clearTimeout(timer); }
  };

  // Seconds or a date.
  const asked = (given) => {
    const after = given && given.headers ? given.headers.get('retry-after') : null;
    const ms = after ? (isNaN(after) ? Date.parse(after) - Date.now() : after * 1e3) : 0;
    return Math.min(Math.max(ms || 0, 0), HOUR / 12);
  };

  // The page's own policy forbids to send in the background: the browser posts the form itself.
  const byBrowser = (post, form) => {
    new URLSearchParams(post.body).forEach((value, name) => {
      if (!form.querySelector('[name="' + CSS.escape(name) + '"]')) make(form, 'input', { type: 'hidden', name, value });
    });
    HTMLFormElement.prototype.submit.call(form);
  };

  // Again and again with the same id, until the gateway has it or has refused it. `tell` shows how it stands.
  const deliver = async (post, form, tell) => {
    const key = 'post:' + post.id;
    for (let tries = 0; ; tries += 1) {
      const given = await attempt(post, form).catch((error) => error);
      const status = given.status || 0;
      const again = !status || status > 499 || status === 408 || status === 425 || status === 429;
      if (!again || Date.now() - post.at > 24 * HOUR) {
        forget(key);
        return given.ok ? 'success' : 'refused';
      }
      if (form && blocked.startsWith(new URL(post.url).origin)) {
        forget(key);
        byBrowser(post, form);
        return 'sending';
      }
      tell();
      const wait = Math.max(asked(given), Math.min(2 ** tries * 1e3, 60e3) * (0.75 + Math.random() / 2));
      await new Promise((done) => {
        wakers[post.id] = done;
        setTimeout(done, wait);
      });
    }
  };

  const id = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };

  const finish = (form, outcome, post) => {
    show(form, outcome);
    announce(form, outcome === 'success' ? 'sent' : 'failed', post.id);
    if (outcome !== 'success') return;
    const field = form.querySelector('[name=redirect]');
    const target = said(form, 'redirect') || (field && field.value);
    if (target && /^https?:$/.test(new URL(target, location.href).protocol)) {
      location.assign(target);
      return;
    }
    const { status } = known(form);
    if (form.hasAttribute('data-keep')) HTMLFormElement.prototype.reset.call(form);
    else Array.from(form.childNodes).forEach((one) => { if (one.nodeType === 1 && !one.contains(status)) hide(one); });
    status.focus();
  };

  const submit = async (form, button) => {
    const state = known(form);
    const body = collect(form, button);
    const content = String(body);
    if (state.busy) return;
    if (mustAnswer(form, state)) {
      show(form, 'human');
      return;
    }
    // The same content is the same post, however often it is sent.
    if (content !== state.content) state.id = id();
    state.content = content;
    state.busy = true;
    state.since = Date.now();
    show(form, 'sending');
    if (wakers[state.id]) {
      wakers[state.id]();
      return;
    }
    const post = { id: state.id, url: address(form), captcha: said(form, 'captcha') || '', at: Date.now() };
    enrich(body);
    body.set('leadgate_id', post.id);
    post.body = String(body);
    save('post:' + post.id, post);
    const patience = (said(form, 'patience') || 10) * 1e3;
    let failed = false;
    const outcome = await deliver(post, form, () => {
      const lost = Date.now() - state.since > patience;
      if (post.id === state.id) {
        show(form, lost ? 'failure' : 'waiting');
        state.busy = !lost;
      }
      if (lost && !failed) announce(form, 'failed', post.id);
      failed = failed || lost;
    });
    delete wakers[post.id];
    state.busy = false;
    if (outcome !== 'sending') finish(form, outcome, post);
  };

  doc.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.matches('form[data-leadgate]') || !address(form)) return;
    event.preventDefault();
    submit(form, event.submitter);
  });
  doc.addEventListener('focusin', (event) => {
    const form = event.target.closest && event.target.closest('form[data-leadgate]');
    if (!form) return;
    known(form);
    prepare(form);
  });
  doc.addEventListener('securitypolicyviolation', (event) => {
    if (event.effectiveDirective === 'connect-src') blocked = event.blockedURI;
  });
  win.addEventListener('online', () => { Object.keys(wakers).forEach((one) => wakers[one]()); });

  // What an earlier page could not send is sent now.
  const begin = () => {
    const all = Array.from(doc.querySelectorAll('form[data-leadgate]'));
    all.forEach(known);
    kept('post:').forEach((key) => {
      const post = load(key);
      if (!post || !post.url) return;
      const form = all.find((one) => address(one) === post.url);
      const idle = () => form && !known(form).busy;
      deliver(post, null, () => { if (idle()) known(form).status.textContent = text(form, 'waiting'); }).then((outcome) => {
        delete wakers[post.id];
        if (idle()) known(form).status.textContent = text(form, outcome);
        announce(form, outcome === 'success' ? 'sent' : 'failed', post.id);
      });
    });
  };
  if (doc.readyState === 'loading') doc.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
