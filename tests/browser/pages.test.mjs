// The pages that people see, in a real Chromium against the real binary: the landing page with and without scripts,
// and the console that shows the lead as it comes in.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { House, launch, until } from './house.mjs';

let house, browser;

const leadOf = (name) => until(`the lead of ${name}`, async () =>
  (await house.leads()).find((lead) => lead.contact.name === name));

before(async () => {
  house = await House.open();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await house?.close();
});

async function fill(page, name) {
  await page.goto(`${house.publicUrl}/demo?utm_source=ads&gclid=abc`);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Phone').fill('8 (903) 555-77-01');
  await page.getByLabel('What are you looking for?').fill('A house by the lake');
  await page.locator('#consent').check();
  await page.locator('form button').click();
}

for (const javaScriptEnabled of [true, false]) {
  test(`the landing page ${javaScriptEnabled ? 'with' : 'without'} scripts makes a lead and says thank you`, async () => {
    const context = await browser.newContext({ javaScriptEnabled });
    const page = await context.newPage();
    const errors = [];
    page.on('console', (line) => { if (line.type() === 'error') errors.push(line.text()); });
    const name = javaScriptEnabled ? 'Wilma' : 'Fred';
    await fill(page, name);
    await page.getByText('call you back within fifteen minutes').waitFor({ timeout: 10_000 });
    assert.equal(page.url().includes('/in/demo-form'), !javaScriptEnabled, 'only without scripts the browser leaves the page');
    if (javaScriptEnabled) {
      const lead = await leadOf(name);
      assert.deepEqual(lead.contact.phones, ['+79035557701']);
      assert.equal(lead.campaign.utm_source, 'ads');
      assert.equal(lead.campaign.gclid, 'abc');
      assert.equal(lead.consent.given, true);
    } else {
      // The same phone: the second post joins the first lead.
      await until('the second touch', async () => (await house.leads()).some((lead) => lead.touches === 2));
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
  await page.goto(`${house.deskUrl}/`);
  const name = '<img src=x onerror=alert(1)>';
  // The page shows what happens from when its stream is open: knocks come until it is.
  let knocks = 0;
  await until('a line of news', async () => {
    knocks += 1;
    const body = new URLSearchParams({ name, phone: `+7 495 555 88 ${10 + knocks}`, message: '<script>alert(2)</script>' });
    await fetch(`${house.publicUrl}/in/demo-form`, { method: 'POST', body, headers: { accept: 'application/json' } });
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
    await page.goto(`${house.publicUrl}/demo`);
    await page.screenshot({ path: join(process.env.SCREENSHOTS, 'demo.png'), fullPage: true });
  }
  await page.close();
});
