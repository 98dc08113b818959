// Does a lead of a plain landing page arrive, once, whatever happens on the way? The snippet of docs/landing-pages.md on
// a page of another origin with a strict policy, in a real Chromium, against the real binary.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { House, ROOT, launch, sleep, until } from './house.mjs';

const DOCS = readFileSync(join(ROOT, 'docs/landing-pages.md'), 'utf8');
const SNIPPET = DOCS.split('```html\n')[1].split('```')[0];
const PHONE = '+7 495 123-45-67';
const CHANNELS = ['plain', 'worked', 'timed', 'asked'].map((id) => `
[[channel]]
id = "${id}"
source = "form"
responsible = "anna"
${{
    plain: 'thanks = "We call you back."',
    worked: 'captcha = "altcha"',
    timed: 'min_time = "30s"',
    asked: 'captcha = "turnstile"\ncaptcha_secret = "0x1234567890"\ncaptcha_url = "http://127.0.0.1:1/"',
  }[id]}
`).join('');
const STYLE = 'body { font: 18px/1.5 sans-serif; max-width: 30rem; margin: 2rem auto; } label { display: block; }'
  + ' input, textarea { display: block; font: inherit; }';

let house, browser, site, origin, people = 0;

// What the site serves: /<channel>?form=<attributes>&policy=<directives that differ>
function serve(request, response) {
  const url = new URL(request.url, origin);
  const gateway = house.publicUrl;
  if (url.pathname === '/style.css') return response.setHeader('content-type', 'text/css').end(STYLE);
  if (url.pathname === '/widget.js') return response.setHeader('content-type', 'text/javascript').end('window.turnstile = {};');
  const connect = url.searchParams.get('connect') ?? gateway;
  response.setHeader('content-security-policy', `default-src 'none'; style-src 'self'; script-src 'self' ${gateway}; `
    + `connect-src ${connect}; form-action ${gateway}; require-trusted-types-for 'script'`);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  const form = SNIPPET
    .replaceAll('https://leads.example.com', gateway)
    .replace('spring-landing', url.pathname.slice(1))
    .replace('data-leadgate ', `data-leadgate data-patience="2" ${url.searchParams.get('form') ?? ''} `);
  const widget = url.searchParams.has('widget') ? '<script src="/widget.js"></script>' : '';
  return response.end(`<!DOCTYPE html><html lang="${url.searchParams.get('lang') ?? 'en'}"><title>Cottages by the lake</title>
    <link rel="stylesheet" href="/style.css">${widget}<h1>Cottages by the lake</h1>${form}`);
}

before(async () => {
  house = await House.open(CHANNELS);
  site = createServer(serve);
  await new Promise((done) => { site.listen(0, 'localhost', done); });
  origin = `http://localhost:${site.address().port}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  site?.closeAllConnections();
  site?.close();
  await house?.close();
});

// A visitor with a name and a phone of his own, on the page.
async function visit(path = '/plain', { context, ...options } = {}) {
  people += 1;
  const own = context ?? await browser.newContext(options);
  const page = await own.newPage();
  const trouble = [];
  page.on('pageerror', (error) => trouble.push(String(error)));
  page.on('console', (line) => { if (/Content.Security|TrustedHTML/.test(line.text())) trouble.push(line.text()); });
  await page.goto(origin + path);
  const visitor = { page, context: own, trouble, name: `Visitor ${people}`, phone: `+7903555${String(1000 + people)}` };
  return visitor;
}

async function fill({ page, name, phone }) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Phone').fill(phone);
  await page.getByLabel('Message').fill('A house with a sauna');
  await page.getByLabel('You may contact me').check();
}

const send = ({ page }) => page.getByRole('button', { name: 'Send' }).click();
const told = ({ page }, text) => page.locator('[data-leadgate-status]').filter({ hasText: text }).waitFor({ timeout: 15_000 });
const state = ({ page }) => page.locator('form').getAttribute('data-leadgate-state');
const ofPhone = async ({ phone }) => (await house.leads()).filter((lead) => lead.contact.phones.includes(phone));
const arrived = (visitor) => until(`the lead of ${visitor.name}`, async () => (await ofPhone(visitor))[0]);
const shot = async ({ page }, name) => {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });
};

async function once(visitor) {
  await arrived(visitor);
  await sleep(700);
  const leads = await ofPhone(visitor);
  assert.deepEqual(leads.map((lead) => lead.touches), [1], 'one lead of one touch');
  return leads[0];
}

// Every body that was posted to the gateway, in its order.
function posts({ page }) {
  const bodies = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') bodies.push(new URLSearchParams(request.postData()));
  });
  return bodies;
}

test('the script is small', async () => {
  const response = await fetch(`${house.publicUrl}/embed.js`);
  const size = gzipSync(await response.text()).length;
  assert.ok(size <= 6 * 1024, `${size} bytes`);
});

test('a lead knows where its visitor came from, first and last', async () => {
  const visitor = await visit('/plain?utm_source=Search&utm_campaign=spring&yclid=Y1');
  await visitor.context.addCookies([
    { name: '_ga', value: 'GA1.1.1234.5678', url: origin }, { name: '_ym_uid', value: '16999', url: origin },
  ]);
  await visitor.page.goto(`${origin}/plain?utm_source=letter&gclid=G1#top`);
  await visitor.page.goto(`${origin}/plain?page=2`);
  await fill(visitor);
  await shot(visitor, 'landing-filled');
  await send(visitor);
  await told(visitor, 'Thank you!');
  assert.equal(await state(visitor), 'success');
  assert.equal(await visitor.page.evaluate('document.activeElement.textContent'),
    'Thank you! We have received your request.', 'the focus is where the news is');
  assert.equal(await visitor.page.getByLabel('Phone').isVisible(), false);
  await shot(visitor, 'landing-success');
  const { campaign, attributes, consent, flags, occurred_at: occurred } = await once(visitor);
  assert.equal(campaign.utm_source, 'letter');
  assert.equal(campaign.gclid, 'G1');
  assert.equal(campaign.utm_campaign, undefined, 'marks of two visits are not mixed');
  assert.equal(campaign.ga_client_id, '1234.5678');
  assert.equal(campaign.ym_client_id, '16999');
  assert.equal(campaign.page, `${origin}/plain?page=2`);
  assert.equal(campaign.page_title, 'Cottages by the lake');
  assert.equal(attributes.first_utm_source, 'Search');
  assert.equal(attributes.first_yclid, 'Y1');
  assert.ok(Number(attributes.time_on_page) > 0);
  assert.ok(Math.abs(new Date(occurred) - Date.now()) < 60_000);
  assert.equal(consent.given, true);
  assert.deepEqual(flags, []);
  assert.deepEqual(visitor.trouble, [], 'a strict policy has nothing to object to');
  assert.deepEqual(await visitor.page.evaluate('Object.keys(localStorage).sort()'), ['leadgate:first', 'leadgate:last'],
    'nothing of the request is left in the browser');
});

test('without scripts the browser posts the form', async () => {
  const visitor = await visit('/plain', { javaScriptEnabled: false });
  await fill(visitor);
  await send(visitor);
  await visitor.page.getByText('We call you back.').waitFor();
  await once(visitor);
});

test('a double click and a second one later are one lead', async () => {
  const visitor = await visit(`/plain?form=${encodeURIComponent('data-keep')}`);
  const bodies = posts(visitor);
  await fill(visitor);
  await visitor.page.getByRole('button', { name: 'Send' }).dblclick();
  await told(visitor, 'Thank you!');
  assert.equal(bodies.length, 1, 'the second click finds the button disabled');
  await fill(visitor);
  await send(visitor);
  await until('the second post', async () => bodies.length === 2);
  assert.equal(bodies[0].get('leadgate_id'), bodies[1].get('leadgate_id'));
  assert.match(bodies[0].get('leadgate_id'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  await once(visitor);
});

test('an answer that is lost is asked for again under the same id', async () => {
  const visitor = await visit();
  const bodies = posts(visitor);
  await visitor.page.route('**/in/plain', async (route) => {
    if (bodies.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await fill(visitor);
  await send(visitor);
  await told(visitor, 'Thank you!');
  assert.equal(new Set(bodies.map((body) => body.get('leadgate_id'))).size, 1);
  assert.ok(bodies.length > 1);
  await once(visitor);
});

test('a busy gateway is asked again when it said', async () => {
  for (const status of [429, 503]) {
    const visitor = await visit();
    const times = [];
    const headers = { 'retry-after': '3', 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' };
    await visitor.page.route('**/in/plain', async (route) => {
      times.push(Date.now());
      return times.length === 1 ? route.fulfill({ status, headers }) : route.continue();
    });
    await fill(visitor);
    await send(visitor);
    await told(visitor, 'Thank you!');
    assert.ok(times[1] - times[0] >= 2900, `${status}: asked again after ${times[1] - times[0]} ms`);
    await once(visitor);
  }
});

test('a refusal is final and shows the phone', async () => {
  const visitor = await visit();
  const bodies = posts(visitor);
  await visitor.page.route('**/in/plain', (route) => route.fulfill({ status: 404, headers: { 'access-control-allow-origin': '*' } }));
  await fill(visitor);
  await send(visitor);
  await told(visitor, 'could not be taken');
  assert.equal(await state(visitor), 'refused');
  assert.equal(await visitor.page.locator('[role=alert] a').getAttribute('href'), 'tel:+74951234567');
  await sleep(1500);
  assert.equal(bodies.length, 1);
});

test('while the gateway is away the visitor is told whom to call, and the lead arrives once when it is back', async () => {
  const patient = await visit('/plain?lang=ru');
  const reloading = await visit();
  const bodies = posts(patient);
  await fill(patient);
  await fill(reloading);
  await house.stop();
  await send(patient);
  await send(reloading);
  await told(patient, 'Отправляем…');
  assert.equal(await patient.page.getByRole('button').isDisabled(), true);
  assert.equal(await patient.page.locator('form').getAttribute('aria-busy'), 'true');
  await told(patient, 'позвоните');
  assert.equal(await state(patient), 'failure');
  assert.equal(await patient.page.getByRole('alert').locator('a').innerText(), PHONE);
  assert.equal(await patient.page.getByLabel('Phone').inputValue(), patient.phone, 'what was written is still there');
  assert.equal(await patient.page.getByRole('button').isDisabled(), false);
  assert.equal(await patient.page.evaluate('document.activeElement.textContent'), 'Send', 'the focus is where it was');
  await shot(patient, 'landing-failure');
  await send(patient);

  // The site itself is up; its page goes on with the script that the browser has kept.
  await told(reloading, 'could not be sent yet');
  await reloading.page.goto(`${origin}/plain?again`);
  await until('a try after the reload', async () => (await reloading.page.locator('[data-leadgate-status]').innerText()) !== '');
  assert.equal(await reloading.page.getByLabel('Phone').inputValue(), '');

  await house.start();
  await told(patient, 'Спасибо!');
  await told(reloading, 'Thank you!');
  assert.equal(await reloading.page.getByLabel('Phone').isVisible(), true, 'the form is free for another request');
  assert.equal(new Set(bodies.map((body) => body.get('leadgate_id'))).size, 1);
  const lead = await once(patient);
  assert.ok(new Date(lead.occurred_at) < new Date(lead.received_at));
  await once(reloading);
  assert.deepEqual([...patient.trouble, ...reloading.trouble], []);
});

test('a page that forbids sending in the background lets the browser post', async () => {
  const visitor = await visit("/plain?connect='none'&utm_source=poster");
  await fill(visitor);
  await send(visitor);
  await visitor.page.getByText('We call you back.').waitFor();
  assert.equal((await once(visitor)).campaign.utm_source, 'poster');
});

test('a browser that has worked for it is believed, and one without scripts is put aside', async () => {
  const visitor = await visit(`/worked?form=${encodeURIComponent('data-captcha="altcha"')}`);
  await fill(visitor);
  await send(visitor);
  await told(visitor, 'Thank you!');
  const lead = await once(visitor);
  assert.deepEqual([lead.flags, lead.attributes.altcha], [[], undefined]);
  const machine = await visit('/worked', { javaScriptEnabled: false });
  await fill(machine);
  await send(machine);
  await until('junk', async () => (await house.verdicts('worked')).junk === 1);
  assert.deepEqual(await ofPhone(machine), []);
});

test('the trap is not seen by people, and what falls into it is junk', async () => {
  const visitor = await visit();
  assert.equal(await visitor.page.locator('[name=leadgate_hp]').count(), 1);
  assert.equal(await visitor.page.locator('[name=leadgate_hp]').isVisible(), false);
  await fill(visitor);
  await visitor.page.evaluate("document.querySelector('[name=leadgate_hp]').value = 'http://spam.example'");
  await send(visitor);
  await told(visitor, 'Thank you!');
  await until('junk', async () => (await house.verdicts('plain')).junk === 1);
  const quick = await visit('/timed');
  await fill(quick);
  await send(quick);
  await told(quick, 'Thank you!');
  await until('junk', async () => (await house.verdicts('timed')).junk === 1);
  assert.deepEqual([...await ofPhone(visitor), ...await ofPhone(quick)], []);
});

test('a visitor is asked once to answer the captcha, and not kept out when it cannot be loaded', async () => {
  const attribute = encodeURIComponent('data-captcha="turnstile"');
  const asked = await visit(`/asked?widget&form=${attribute}`);
  const bodies = posts(asked);
  await fill(asked);
  await send(asked);
  await told(asked, 'Please confirm that you are a person.');
  assert.equal(bodies.length, 0);
  await send(asked);
  await told(asked, 'Thank you!');
  assert.deepEqual((await once(asked)).flags, ['unverified']);

  const without = await visit(`/asked?form=${attribute}`);
  await fill(without);
  await send(without);
  await told(without, 'Thank you!');
  assert.deepEqual((await once(without)).flags, ['unverified']);
});

test('a form that comes later and a form named by the script are taken too', async () => {
  const visitor = await visit();
  await visitor.page.evaluate((channel) => {
    const form = document.createElement('form');
    form.setAttribute('data-leadgate', channel);
    for (const name of ['phone', 'action', 'method', 'id']) {
      const input = form.appendChild(document.createElement('input'));
      input.name = name;
      input.setAttribute('aria-label', `late ${name}`);
    }
    form.appendChild(document.createElement('button')).textContent = 'Later';
    document.body.append(form);
  }, 'plain');
  await visitor.page.getByLabel('late phone').fill(visitor.phone);
  await visitor.page.getByLabel('late action').fill('buy');
  await visitor.page.getByRole('button', { name: 'Later' }).click();
  await until('the thanks', async () => (await visitor.page.getByText('Thank you!').count()) === 1);
  assert.equal((await once(visitor)).attributes.action, 'buy');
});
