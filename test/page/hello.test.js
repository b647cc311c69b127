'use strict';
/* global document */
// The page of examples/hello as a newcomer meets it: started by its own script, seen by a real browser.

const assert = require('node:assert');
const { launch } = require('../helpers/browser');
const { WORKERS, startHello } = require('./hello_cluster');

describe('examples/hello in a browser', () => {
  let cluster;
  let url;
  let browser;
  let page;
  let complaints;

  before(async () => {
    ({ cluster, url } = await startHello());
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  beforeEach(async () => {
    complaints = [];
    page = await browser.newPage();
    page.setDefaultTimeout(30000);
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(error.stack));
    await page.goto(url);
    await waitForAll(page);
  });

  afterEach(async () => {
    await page.close();
    assert.deepStrictEqual(complaints, []);
  });

  it('shows the agent and every worker alive', async () => {
    const { agent, workers } = await alive(page);
    assert.strictEqual(new Set([agent, ...workers]).size, WORKERS + 1);
    for (const pid of [agent, ...workers]) assert.doesNotThrow(() => process.kill(pid, 0));
    await page.getByText(`${WORKERS} workers`, { exact: true }).waitFor();
    await page.getByText(/^live through worker \d+$/).waitFor();
  });

  it('shows that every worker answers requests', async () => {
    const { workers } = await alive(page);
    await page.getByRole('button', { name: 'Ask 40 times' }).click();
    for (const pid of workers) {
      await page.locator(`#tally li[data-pid="${pid}"] .count`, { hasNotText: /^0$/ }).waitFor();
    }
    assert.strictEqual(await page.locator('#answers .none').count(), 0);
  });

  it('asks once a second, and not while it is paused', async () => {
    const watcher = await browser.newPage();
    await watcher.clock.install();
    let asked = 0;
    watcher.on('request', request => { asked += request.url().endsWith('/whoami') ? 1 : 0; });
    await watcher.goto(url);
    const answers = watcher.locator('#answers li');
    await answers.first().waitFor();

    const pause = watcher.getByRole('button', { name: 'Pause' });
    await pause.click();
    const before = asked;
    await watcher.clock.runFor(10000);
    assert.strictEqual(await pause.getAttribute('aria-pressed'), 'true');
    assert.strictEqual(asked, before);

    await pause.click();
    const more = watcher.waitForRequest(/whoami$/);
    await watcher.clock.runFor(1000);
    await more;
    await watcher.close();
  });

  it('shows a message going round between the agent and all workers', async () => {
    await page.getByText(/^Round \d+: agent → (\d+ → ){3}agent in [\d.]+ ms$/).waitFor();
  });

  describe('a note reaches those whom its method addresses, and nobody else:', () => {
    for (const sender of ['worker', 'agent']) {
      it(`broadcast from the ${sender} → the agent and every worker`, async () => {
        const { agent, workers } = await alive(page);
        const heard = await sendNote(page, { from: sender === 'agent' ? agent : workers[0], method: 'broadcast' });
        assert.deepStrictEqual(heard, sorted([agent, ...workers]));
      });

      it(`sendToApp from the ${sender} → every worker`, async () => {
        const { agent, workers } = await alive(page);
        const heard = await sendNote(page, { from: sender === 'agent' ? agent : workers[1], method: 'sendToApp' });
        assert.deepStrictEqual(heard, sorted(workers));
      });

      it(`sendToAgent from the ${sender} → the agent`, async () => {
        const { agent, workers } = await alive(page);
        const heard = await sendNote(page, { from: sender === 'agent' ? agent : workers[0], method: 'sendToAgent' });
        assert.deepStrictEqual(heard, [agent]);
      });

      it(`sendTo from the ${sender} → the chosen process`, async () => {
        const { agent, workers } = await alive(page);
        const from = sender === 'agent' ? agent : workers[0];
        for (const to of [workers[2], agent, from]) {
          assert.deepStrictEqual(await sendNote(page, { from, method: 'sendTo', to }), [to]);
        }
      });
    }

    it('sendRandom from a worker → the agent', async () => {
      const { agent, workers } = await alive(page);
      assert.deepStrictEqual(await sendNote(page, { from: workers[0], method: 'sendRandom' }), [agent]);
    });

    it('sendRandom from the agent → one worker', async () => {
      const { agent, workers } = await alive(page);
      const heard = await sendNote(page, { from: agent, method: 'sendRandom' });
      assert.strictEqual(heard.length, 1);
      assert.ok(workers.includes(heard[0]));
    });

    it('whoever answers may send it, too', async () => {
      const { workers } = await alive(page);
      assert.deepStrictEqual(await sendNote(page, { from: null, method: 'sendToApp' }), sorted(workers));
    });
  });

  it('shows "once" for the first note that a process hears, and for no later one', async () => {
    const { agent, workers } = await alive(page);
    const [victim, ...others] = workers;
    await crash(page, victim);
    const heir = await heirOf(page, victim);
    for (const marks of [1, 0]) {
      const text = uniqueText();
      await press(page, { from: agent, method: 'sendToApp', text });
      const note = noteWith(page, text);
      await heardBy(note, [heir, ...others]);
      assert.strictEqual(await note.locator(`.chip[data-pid="${heir}"] .once`).count(), marks);
    }
  });

  it('replaces a crashed worker and says how long it took', async () => {
    const before = await alive(page);
    const victim = before.workers[1];
    await crash(page, victim);
    const heir = await heirOf(page, victim);

    await page.locator(`#processes [data-pid="${heir}"][data-state="alive"]`).waitFor();
    const after = await alive(page);
    assert.strictEqual(after.agent, before.agent);
    assert.deepStrictEqual(sorted(after.workers), sorted([...before.workers.filter(pid => pid !== victim), heir]));
    await page.locator(`#history li[data-pid="${victim}"]`, { hasText: /took over after \d+(\.\d)? m?s/ }).waitFor();
  });

  it('stays live when the worker crashes that it watches through', async () => {
    const name = /live through (worker \d+)/.exec(await page.locator('#link').textContent())[1];
    const card = page.locator('#processes li', { has: page.getByText(name, { exact: true }) });
    const victim = Number(await card.getAttribute('data-pid'));
    await crash(page, victim);
    const heir = await heirOf(page, victim);
    const { workers } = await alive(page);
    assert.ok(workers.includes(heir));
    assert.deepStrictEqual(await sendNote(page, { from: heir, method: 'sendToApp' }), sorted(workers));
  });

  it('replaces a killed agent, and the new one knows all workers', async () => {
    const before = await alive(page);
    await page.getByRole('button', { name: `Kill the agent, pid ${before.agent}` }).click();
    await page.locator(`#history li[data-pid="${before.agent}"][data-heir]`).waitFor();
    const heir = Number(await page.locator(`#history li[data-pid="${before.agent}"]`).getAttribute('data-heir'));
    await page.locator(`#processes [data-role="agent"][data-state="alive"][data-pid="${heir}"]`).waitFor();
    await waitForAll(page);
    const after = await alive(page);
    assert.deepStrictEqual(after.workers, before.workers);
    assert.deepStrictEqual(await sendNote(page, { from: heir, method: 'broadcast' }), sorted([heir, ...after.workers]));
  });

  it('gives every control a name', async () => {
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const controls = nodes.filter(node => ['button', 'textbox', 'combobox', 'link'].includes(node.role?.value));
    const nameless = controls.filter(node => !node.name?.value.trim());
    assert.deepStrictEqual(nameless.map(node => node.role.value), []);
    // Crash × workers, kill, two below the answers, five methods, three fields, the skip link.
    assert.strictEqual(controls.length, WORKERS + 1 + 2 + 5 + 3 + 1);
  });

  it('fits the width of a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `the page is ${wide} wide`);
  });

  it('says what the server has against a note', async () => {
    await page.getByLabel('Text').evaluate(input => { input.maxLength = 1000; });
    await press(page, { from: null, method: 'broadcast', text: 'x'.repeat(201) });
    await page.getByRole('status').filter({ hasText: 'The text is too long; the limit is 200 characters.' }).waitFor();
    // The browser writes every answer of 400 and above to its console.
    assert.match(complaints.splice(0).join('\n'), /^[^\n]*status of 400[^\n]*$/);
  });
});

// What a user does and sees

async function alive(page) {
  const pids = selector => page.locator(selector).evaluateAll(cards => cards.map(card => Number(card.dataset.pid)));
  const [agent] = await pids('#processes [data-role="agent"][data-state="alive"]');
  return { agent, workers: await pids('#processes [data-role="app"][data-state="alive"]') };
}

function waitForAll(page) {
  return page.waitForFunction(count =>
    document.querySelectorAll('#processes [data-role="app"][data-state="alive"]').length === count
    && document.querySelectorAll('#processes [data-role="agent"][data-state="alive"]').length === 1, WORKERS);
}

async function crash(page, pid) {
  await page.getByRole('button', { name: new RegExp(`^Crash worker \\d+, pid ${pid}$`) }).click();
}

async function heirOf(page, pid) {
  const entry = page.locator(`#history li[data-pid="${pid}"][data-heir]`);
  await entry.waitFor();
  await waitForAll(page);
  return Number(await entry.getAttribute('data-heir'));
}

async function press(page, { from, method, to, text }) {
  await page.getByLabel('From').selectOption(from ? String(from) : '');
  if (to) await page.getByLabel('Receiver of sendTo').selectOption(String(to));
  await page.getByLabel('Text').fill(text);
  await page.getByRole('button', { name: method, exact: true }).click();
}

const noteWith = (page, text) => page.locator('#notes > li', { hasText: text });

async function heardBy(note, pids) {
  for (const pid of pids) await note.locator(`.chips [data-pid="${pid}"]`).waitFor();
}

/**
 * Sends a note and returns the pids of all who heard it, sorted. To know that nobody else will, a second note follows
 * to everybody from the same sender: messages do not overtake each other, so whoever has heard the second one has
 * told of the first one before.
 */
async function sendNote(page, { from, method, to }) {
  const { agent, workers } = await alive(page);
  const text = uniqueText();
  await press(page, { from, method, to, text });
  const note = noteWith(page, text);
  await note.waitFor();

  const sender = Number(await note.getAttribute('data-from'));
  const closing = uniqueText();
  await press(page, { from: sender, method: 'broadcast', text: closing });
  await heardBy(noteWith(page, closing), [agent, ...workers]);
  return sorted(await note.locator('.chips [data-pid]').evaluateAll(chips => chips.map(chip => Number(chip.dataset.pid))));
}

let counter = 0;
const uniqueText = () => `note-${++counter}.`;
const sorted = pids => [...pids].sort((a, b) => a - b);
