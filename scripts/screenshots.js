'use strict';
// `npm run screenshots`: the pictures of the README, of a real cluster under some load: the live page, and `egg-clutch top`.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { Load, target } = require('../lib/cli/load');
const { launch } = require('../test/helpers/browser');
const { SCRIPT } = require('../test/helpers/command');
const { servePage } = require('../test/helpers/page_server');
const { startSteerable, steer } = require('../test/helpers/steering');
const { openScreen } = require('../test/helpers/tmux');
const { terminalPicture } = require('./terminal_picture');

const IMAGES = path.join(__dirname, '..', 'docs', 'images');
const WORKERS = 4;
const CLIENTS = 6;
// So that the charts have a length.
const LIFE_MS = 20000;

async function pageShots(browser, url, act) {
  const page = await browser.newPage({ viewport: { width: 1180, height: 1000 }, colorScheme: 'light' });
  await page.goto(url);
  await pause(LIFE_MS);
  await act();
  await page.getByText('serves').nth(1).waitFor();
  await page.screenshot({ path: path.join(IMAGES, 'page.png') });
  await page.close();
}

async function topShot(browser, screen) {
  screen.press('Down', 'Down');
  await pause(LIFE_MS);
  const page = await browser.newPage();
  await page.setContent(terminalPicture(screen.text({ painted: true })));
  await page.locator('pre').screenshot({ path: path.join(IMAGES, 'top.png') });
}

async function main() {
  fs.mkdirSync(IMAGES, { recursive: true });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-'));
  const socket = path.join(folder, 'clutch.sock');
  const cluster = await startSteerable('plain', { workers: WORKERS });
  const load = new Load(target((await steer(cluster, 'status')).address, '/'), CLIENTS, 200);
  const [server, control] = [await servePage(cluster), await servePage(cluster, { socket })];
  const browser = await launch();
  const screen = openScreen([process.execPath, SCRIPT, 'top', `--control=${socket}`], { cwd: folder, columns: 110, rows: 26 });
  try {
    const { workers } = await steer(cluster, 'status');
    await pageShots(browser, server.url, async () => {
      await steer(cluster, 'isolate', workers[1].id);
      process.kill(workers[2].pid, 'SIGKILL');
    });
    await topShot(browser, screen);
  } finally {
    screen.end();
    await load.end();
    await browser.close();
    for (const one of [server, control]) one.close();
    await cluster.stop();
    fs.rmSync(folder, { recursive: true });
  }
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
