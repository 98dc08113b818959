// The pages that people see, in a real Chromium against the real binary: the landing page with and without scripts,
// and the console that shows the lead as it comes in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync, copyFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(join(process.env.BROWSER_TOOLS ?? join(ROOT, 'tests/.tools/node'), 'package.json'));
const { chromium } = require('playwright-core');

const BINARY = process.env.LEADGATE_BIN ?? join(ROOT, 'target/release/leadgate');
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let folder, product, browser, publicUrl, deskUrl;

const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

async function until(what, check) {
  for (let i = 0; i < 200; i += 1) {
    const found = await check().catch(() => null);
    if (found) return found;
    await new Promise((wait) => { setTimeout(wait, 50); });
  }
  throw new Error(`not seen within 10 s: ${what}`);
}

const leads = async () => (await (await fetch(`${deskUrl}/v1/workspaces/demo/leads`)).json()).leads;
const leadOf = (name) => until(`the lead of ${name}`, async () =>
  (await leads()).find((lead) => lead.contact.name === name));

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'leadgate-browser-'));
  const [gateway, desk] = [await freePort(), await freePort()];
  publicUrl = `http://127.0.0.1:${gateway}`;
  deskUrl = `http://127.0.0.1:${desk}`;
  mkdirSync(join(folder, 'workspaces'));
  copyFileSync(join(ROOT, 'config/workspaces/demo.toml'), join(folder, 'workspaces/demo.toml'));
  writeFileSync(join(folder, 'leadgate.toml'),
    `gateway.listen = "127.0.0.1:${gateway}"\ndesk.listen = "127.0.0.1:${desk}"\n`);
  product = spawn(BINARY, ['run', '--config', join(folder, 'leadgate.toml')], { stdio: 'ignore' });
  await until('readiness', async () => (await fetch(`${deskUrl}/ready`)).ok);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
});

after(async () => {
  await browser?.close();
  product?.kill('SIGTERM');
  const code = await new Promise((done) => { product.once('exit', done); });
  rmSync(folder, { recursive: true });
  assert.equal(code, 0, 'leadgate stops cleanly');
});

async function fill(page, name) {
  await page.goto(`${publicUrl}/demo?utm_source=ads&gclid=abc`);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Phone').fill('8 (903) 555-77-01');
  await page.getByLabel('What are you looking for?').fill('A house by the lake');
  await page.locator('#consent').check();
  await page.locator('form button').click();
  await page.waitForURL(/\/in\/demo-form/);
}

for (const javaScriptEnabled of [true, false]) {
  test(`the landing page ${javaScriptEnabled ? 'with' : 'without'} scripts makes a lead and says thank you`, async () => {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    const errors = [];
    page.on('console', (line) => { if (line.type() === 'error') errors.push(line.text()); });
    const name = javaScriptEnabled ? 'Wilma' : 'Fred';
    await fill(page, name);
    assert.match(await page.locator('body').innerText(), /call you back within fifteen minutes/);
    if (javaScriptEnabled) {
      const lead = await leadOf(name);
      assert.deepEqual(lead.contact.phones, ['+79035557701']);
      assert.equal(lead.campaign.utm_source, 'ads');
      assert.equal(lead.campaign.gclid, 'abc');
      assert.equal(lead.consent.given, true);
    } else {
      // The same phone: the second post joins the first lead.
      await until('the second touch', async () => (await leads()).some((lead) => lead.touches === 2));
    }
    assert.deepEqual(errors, [], 'nothing the page needs is refused by its own policy');
    await context.close();
  });
}

test('the console shows a lead as it comes in, and what a customer wrote is text', async () => {
  const page = await browser.newPage();
  const dialogs = [];
  page.on('dialog', (dialog) => { dialogs.push(dialog.message()); dialog.dismiss(); });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${deskUrl}/`);
  const name = '<img src=x onerror=alert(1)>';
  // The page shows what happens from when its stream is open: knocks come until it is.
  let knocks = 0;
  await until('a line of news', async () => {
    knocks += 1;
    const body = new URLSearchParams({ name, phone: `+7 495 555 88 ${10 + knocks}`, message: '<script>alert(2)</script>' });
    await fetch(`${publicUrl}/in/demo-form`, { method: 'POST', body, headers: { accept: 'application/json' } });
    await new Promise((wait) => { setTimeout(wait, 200); });
    return await page.locator('#ticker li').count() > 0;
  });
  await leadOf(name);
  await page.reload();
  await page.getByText('demo-form').first().waitFor({ timeout: 10_000 });
  assert.equal(await page.locator('img').count(), 0, 'no markup of a customer reaches the page');
  assert.deepEqual(dialogs, []);
  assert.deepEqual(errors, []);
  if (process.env.SCREENSHOTS) {
    await page.screenshot({ path: join(process.env.SCREENSHOTS, 'console.png'), fullPage: true });
    await page.goto(`${publicUrl}/demo`);
    await page.screenshot({ path: join(process.env.SCREENSHOTS, 'demo.png'), fullPage: true });
  }
  await page.close();
});
