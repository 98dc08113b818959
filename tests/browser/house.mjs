// One running leadgate and one Chromium, for the tests beside this file.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(join(process.env.BROWSER_TOOLS ?? join(ROOT, 'tests/.tools/node'), 'package.json'));
const { chromium } = require('playwright-core');

const BINARY = process.env.LEADGATE_BIN ?? join(ROOT, 'target/release/leadgate');
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

export const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

export async function until(what, check) {
  for (let i = 0; i < 300; i += 1) {
    const found = await check().catch(() => null);
    if (found) return found;
    await sleep(50);
  }
  throw new Error(`not seen within 15 s: ${what}`);
}

// The demo workspace, with further channels as TOML.
export class House {
  static async open(channels = '') {
    const house = new House();
    house.folder = mkdtempSync(join(tmpdir(), 'leadgate-browser-'));
    const [gateway, desk] = [await freePort(), await freePort()];
    house.publicUrl = `http://127.0.0.1:${gateway}`;
    house.deskUrl = `http://127.0.0.1:${desk}`;
    mkdirSync(join(house.folder, 'workspaces'));
    const demo = readFileSync(join(ROOT, 'config/workspaces/demo.toml'), 'utf8');
    writeFileSync(join(house.folder, 'workspaces/demo.toml'), `${demo}\n${channels}`);
    writeFileSync(join(house.folder, 'leadgate.toml'),
      `gateway.listen = "127.0.0.1:${gateway}"\ndesk.listen = "127.0.0.1:${desk}"\njournal.disk_free = 0\n`);
    await house.start();
    return house;
  }

  async start() {
    this.product = spawn(BINARY, ['run', '--config', join(this.folder, 'leadgate.toml')], { stdio: 'ignore' });
    await until('readiness', async () => (await fetch(`${this.deskUrl}/ready`)).ok);
  }

  async stop() {
    const ended = new Promise((done) => { this.product.once('exit', done); });
    this.product.kill('SIGTERM');
    assert.equal(await ended, 0, 'leadgate stops cleanly');
  }

  async close() {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  async ask(path) {
    return (await fetch(`${this.deskUrl}/v1/workspaces/demo/${path}`)).json();
  }

  async leads() {
    return (await this.ask('leads')).leads;
  }

  // What became of the posts of one channel, by verdict.
  async verdicts(channel) {
    const { channels } = await this.ask('books');
    return channels.find((one) => one.channel === channel)?.verdicts ?? {};
  }
}
