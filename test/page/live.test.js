'use strict';
/* global document, getComputedStyle, axe */
// The live page as somebody sees it who looks after a cluster: a real browser, a real cluster.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { launch } = require('../helpers/browser');
const { look, socketPath } = require('../helpers/control');
const { ask } = require('../helpers/probe');
const { startSteerable, steer } = require('../helpers/steering');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const ROOT = path.join(__dirname, '..', '..');
const LOOKS = [
  { name: 'on a wide screen, light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'on a wide screen, dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'on a phone, light', colorScheme: 'light', viewport: { width: 320, height: 640 } },
  { name: 'on a phone, dark', colorScheme: 'dark', viewport: { width: 320, height: 640 } },
];

describe('the live page', () => {
  let cluster;
  let url;
  let browser;
  let page;
  let complaints;

  before(async () => {
    const control = socketPath();
    cluster = await startSteerable('plain', { workers: 2, control, admin: { port: 0 } });
    url = `${(await look(control, 'status')).body.admin}/`;
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  async function open(settings = {}) {
    const context = await browser.newContext(settings);
    page = await context.newPage();
    complaints = [];
    page.setDefaultTimeout(30000);
    page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', error => complaints.push(error.stack));
    page.on('request', request => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(url);
    await page.getByRole('status').getByText('ready · 2 of 2 serve').waitFor();
  }

  afterEach(async () => {
    await page?.context().close();
    assert.deepEqual(complaints, []);
  });

  const card = name => page.locator('#processes > li', { has: page.getByRole('heading', { name, exact: false }) });

  /** Of those that serve: after a reload old ones may still be on their way out. */
  async function ids() {
    return (await steer(cluster, 'status')).workers.filter(({ state }) => state === 'ready').map(({ id }) => id);
  }

  it('is one file that its parts make', () => {
    const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'scripts', 'page.js'), '--check'], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    complaints = [];
  });

  it('shows agent and workers, in the picture and with their figures', async () => {
    await open();
    for (const id of await ids()) {
      await page.getByRole('link', { name: new RegExp(`^worker ${id} ready, `) }).waitFor();
      await card(`worker ${id} `).getByText(/^\d+(\.\d)?M$/).waitFor();
    }
    await page.getByRole('link', { name: /^agent ready/ }).waitFor();
    // A chart has a line once there are two looks.
    await page.locator('#processes [data-fact="memory"] path[d^="M"]').first().waitFor({ state: 'attached' });
  });

  it('shows the messages that flow, as moving lines and as a table', async () => {
    await open();
    const { agent } = await steer(cluster, 'status');
    const flood = async () => {
      for (;;) {
        await ask(cluster, agent.pid, 'flood', { method: 'sendToApp', args: ['news'], count: 50 });
        if (await page.locator('#picture path.messages').count() > 0) return;
      }
    };
    await flood();
    const row = page.getByRole('table', { name: 'Messages' }).getByRole('row', { name: /^news / });
    await row.waitFor();
    const columns = await page.getByRole('columnheader').allTextContents();
    const cells = await row.getByRole('cell').allTextContents();
    // The first column is the header of the row.
    const cell = name => cells[columns.indexOf(name) - 1];
    assert.ok(/^[1-9][\d.]*k?$/.test(cell('sent')) && cell('dropped') === '0', cells.join(' '));
    await page.getByRole('link', { name: /^agent ready, .* messages a second/ }).waitFor();
  });

  it('shows a death and the successor as they happen', async () => {
    await open();
    const { workers: [{ id, pid }] } = await steer(cluster, 'status');
    // The dead one is shown for some seconds only.
    const shown = [
      page.getByRole('log').getByText(new RegExp(`worker ${id} \\(process ${pid}\\): .*SIGKILL`)),
      page.getByRole('link', { name: new RegExp(`^worker ${id} dead`) }),
      page.getByRole('log').getByText('2 of 2 serve again'),
    ].map(part => part.waitFor());
    process.kill(pid, 'SIGKILL');
    await Promise.all(shown);
    await page.getByRole('status').getByText('ready · 2 of 2 serve').waitFor();
    assert.equal(await card(`worker ${id} `).count(), 0);
  });

  it('shows a reload as it happens', async () => {
    await open();
    const before = await ids();
    await steer(cluster, 'reload');
    await page.getByRole('log').getByText('reloaded: 2 workers are new').waitFor();
    for (const id of await ids()) {
      assert.ok(!before.includes(id));
      await page.getByRole('link', { name: new RegExp(`^worker ${id} ready`) }).waitFor();
    }
    await page.waitForFunction(() => document.querySelectorAll('#processes > li').length === 3);
  });

  it('can be gone through by keyboard, and paused', async () => {
    await open();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'pause');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Pause', pressed: true }).waitFor();
    await page.keyboard.press('Tab');
    assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /^agent ready/);
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'process-agent');
    await page.getByRole('button', { name: 'Pause' }).press('Space');
    await page.getByRole('button', { name: 'Pause', pressed: false }).waitFor();
  });

  it('moves nothing for those who want nothing to move', async () => {
    for (const [reducedMotion, moves] of [['reduce', false], ['no-preference', true]]) {
      await page?.context().close();
      await open({ reducedMotion });
      const animation = await page.evaluate(() => {
        const made = ['requests', 'messages'].map(name => {
          const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
          path.setAttribute('class', name);
          document.querySelector('#picture').append(path);
          return getComputedStyle(path).animationName;
        });
        return made.map(name => name !== 'none');
      });
      assert.deepEqual(animation, [moves, moves]);
    }
  });

  for (const { name, ...settings } of LOOKS) {
    it(`has no barrier that axe finds, and nothing that sticks out, ${name}`, async () => {
      await open(settings);
      await page.locator('#processes [data-fact="memory"] path[d^="M"]').first().waitFor({ state: 'attached' });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(sideways, 0);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
    });
  }

  it('says so when nobody answers any more', async () => {
    await open();
    await page.route('**/status', route => route.abort());
    await page.getByRole('status').getByText('does not answer').waitFor();
    complaints = complaints.filter(text => !text.includes('net::ERR_FAILED'));
  });
});
