'use strict';
// `egg-clutch top` in a real terminal.

const assert = require('node:assert/strict');
const { fakeControl, answer, STATUS } = require('../../__test__/support/fake_control');
const { SCRIPT } = require('../helpers/command');
const processes = require('../helpers/processes');
const { hasTerminal, openScreen } = require('../helpers/tmux');
const { until } = require('../helpers/waiting');

describe('egg-clutch top', () => {
  if (!hasTerminal()) return;

  let control;
  let screen;
  let answers;

  beforeEach(async () => {
    answers = {};
    control = await fakeControl(answers);
  });

  afterEach(async () => {
    screen?.end();
    screen = null;
    await control.close();
  });

  async function open(settings = {}) {
    const argv = [process.execPath, SCRIPT, 'top', '--interval=100ms'];
    screen = openScreen(argv, { cwd: control.baseDir, ...settings });
    await screen.shows('2 of 2 serve');
    assert.equal(screen.hasAlternateScreen(), true);
  }

  async function assertRestored(code = 0) {
    await screen.shows(`ended with ${code}`);
    assert.equal(screen.hasAlternateScreen(), false);
  }

  /** The process that runs top, below the terminal's shell. */
  async function topProcess() {
    return until(() => processes.childrenOf(screen.pid())[0], 'top below the shell');
  }

  it('shows who is there, follows what changes, and gives the terminal back', async () => {
    await open();
    await screen.shows(/> agent +ready +100/);
    answers['GET /status'] = { body: { ...STATUS, serving: 1, degraded: true } };
    await screen.shows('degraded · 1 of 2 serve');
    screen.press('q');
    await assertRestored();
  });

  it('acts on the selected worker once that is confirmed, and says what became of it', async () => {
    answers['POST /isolate'] = { body: { done: true } };
    answers['POST /restart'] = { status: 409, body: { error: { code: 'ERR_CLUTCH_RELOAD', message: 'the new one ended with code 7' } } };
    await open();
    screen.press('Down');
    await screen.shows(/> 1 +ready/);
    screen.press('i');
    await screen.shows('Isolate worker 1? [y/N]');
    screen.press('n');
    await screen.shows('nothing done');
    screen.press('i', 'y');
    await screen.shows('isolate 1: done');
    screen.press('r', 'y');
    await screen.shows('restart 1: the new one ended with code 7');
    const orders = control.asked.filter(asked => asked.startsWith('POST'));
    assert.deepEqual(orders, ['POST /isolate {"id":1}', 'POST /restart {"id":1}']);
  });

  it('shows a stack, and comes back from it', async () => {
    answers['POST /stack'] = (_body, response) => answer(response, 200, { id: 'agent', pid: 100, stack: 'at spin (agent.js:7:3)\n    at main' });
    await open();
    screen.press('s');
    await screen.shows('at spin (agent.js:7:3)');
    screen.press('q');
    await screen.shows('2 of 2 serve');
  });

  it('fits itself to the terminal when its size changes', async () => {
    await open({ columns: 100, rows: 30 });
    screen.resize(40, 12);
    await until(() => {
      const lines = screen.text().trimEnd().split('\n');
      const fits = lines.length === 12 && lines.every(line => line.length <= 40);
      return fits && lines[0].startsWith('ready · 2 of 2 serve') && lines.at(-1).startsWith('q leave');
    }, 'twelve lines of forty columns');
  });

  for (const [how, act, code] of [
    ['Ctrl-C', () => screen.press('C-c'), 0],
    ['SIGTERM', async () => process.kill((await topProcess()).pid, 'SIGTERM'), 0],
    ['SIGHUP', async () => process.kill((await topProcess()).pid, 'SIGHUP'), 0],
  ]) {
    it(`gives the terminal back at ${how}`, async () => {
      await open();
      await act();
      await assertRestored(code);
    });
  }

  it('says that the cluster is gone, and sees the next one', async () => {
    await open();
    const { baseDir } = control;
    await control.close();
    await screen.shows(/there is no cluster for/);
    control = await fakeControl({}, { baseDir });
    await screen.shows('2 of 2 serve');
  });

  it('has colours only where they are wanted', async () => {
    await open();
    await until(() => /\x1b\[32mready/.test(screen.text({ painted: true })), 'a worker in green'); // eslint-disable-line no-control-regex
    screen.end();
    await open({ env: { NO_COLOR: '1' } });
    assert.doesNotMatch(screen.text({ painted: true }), /\x1b\[3\dm/); // eslint-disable-line no-control-regex
  });

  it('is wrong usage without a terminal, and finds no cluster where there is none', async () => {
    screen = openScreen(['sh', '-c', `${process.execPath} ${SCRIPT} top | cat; exec ${process.execPath} ${SCRIPT} top --control=nobody.sock`], { cwd: control.baseDir });
    const text = await screen.shows('ended with 3');
    assert.match(text, /top needs a terminal/);
  });
});
