'use strict';
// `npm run screenshots`: the pictures of the README, of a real cluster under some load: the live page, and `egg-clutch top`.

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { Load, target } = require('../lib/cli/load');
const { launch } = require('../test/helpers/browser');
const { SCRIPT } = require('../test/helpers/command');
const { look, socketPath } = require('../test/helpers/control');
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
  const control = socketPath();
  const cluster = await startSteerable('tells_its_agent', { workers: WORKERS, control, admin: { port: 0 } });
  const { body: { address, admin } } = await look(control, 'status');
  const load = new Load(target(address, '/'), CLIENTS, 200);
  const browser = await launch();
  const screen = openScreen([process.execPath, SCRIPT, 'top', `--control=${control}`], { cwd: IMAGES, columns: 110, rows: 26 });
  try {
    const { workers } = await steer(cluster, 'status');
    await pageShots(browser, `${admin}/`, async () => {
      await steer(cluster, 'isolate', workers[1].id);
      process.kill(workers[2].pid, 'SIGKILL');
    });
    await topShot(browser, screen);
  } finally {
    screen.end();
    await load.end();
    await browser.close();
    await cluster.stop();
  }
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
