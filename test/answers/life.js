'use strict';

// The life of the two clusters around the answers: what they said at the start, at the stop, and what they left behind.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { assertAlike } = require('./alike');
const { withoutOverrides, withoutSender, shallow } = require('./differences');
const { bySpeaker, entriesOf } = require('./log_lines');
const { listFiles, readDumps } = require('./written_files');

/** Tasks of egg end when they end, and every worker says so. */
function sortedTasks(entries) {
  return entries.map(entry => entry.replace(/(end ready task .*), remain \[.*\]/, '$1')).sort();
}

function firstWords(text) {
  const words = bySpeaker(text);
  for (const speaker of ['agent', 'app 1', 'app 2']) words[speaker] = sortedTasks(words[speaker]);
  return words;
}

/** Two apps go at the same time, in whichever order, and which end of one is seen first, its process' or its channel's, is chance. */
function lastWords(text) {
  const words = bySpeaker(withoutSender(text)
    .replace(/current workers: \[[^\]]*\]/g, 'current workers: [<ids>]')
    .replace(/isDead: (true|false)/g, 'isDead: <either>')
    .replace(/(don't fork, because worker:.+?) (will be kill soon|exit event emit before disconnect)/g, '$1 <either>'));
  for (const speaker of Object.keys(words).filter(name => name.startsWith('master of app '))) words[speaker].sort();
  return words;
}

/**
 * Which of the apps it was does not matter. Whoever writes to a client that goes learns of it by one of two errors, as it happens.
 */
function errorLog(text) {
  return entriesOf(shallow(text).replace(/<app \d+ pid>/g, '<app pid>')).filter(entry => !entry.includes('/streams/endless')).sort();
}

function start(pair) {
  describe('when it has started', () => {
    it('tells the parent alike that it is ready', async () => {
      const { stock, ours } = await pair.see(side => side.ready);
      assert.equal(stock.address, 'http://127.0.0.1:<main port>');
      assertAlike({ stock, ours });
    });

    it('has written alike about its start', async () => {
      const { stock, ours } = await pair.seeLogs(side => side.firstWords);
      assert.match(stock, /egg started on/);
      assertAlike({ stock: firstWords(stock), ours: firstWords(ours) });
    });
  });
}

function end(pair) {
  describe('when it has stopped', () => {
    before(() => pair.stop());

    it('ends with the same code', async () => {
      const ended = await pair.see(side => side.ended);
      assert.deepEqual(ended.stock, { code: 0, signal: null });
      assertAlike(ended);
    });

    it('has written nothing to stderr', async () => {
      assert.deepEqual(await pair.see(side => side.shop.cluster.stderr), { stock: '', ours: '' });
    });

    it('has written nothing between its start and its stop', async () => {
      const { stock, ours } = await pair.see(side => side.wordsBetween);
      assert.deepEqual({ stock, ours }, { stock: '', ours: '' });
    });

    it('has written alike about its stop', async () => {
      const { stock, ours } = await pair.seeLogs(side => side.lastWords);
      assert.match(stock, /exiting with code:0/);
      assertAlike({ stock: lastWords(stock), ours: lastWords(ours) });
    });

    it('has told its parent the same, in the same order', async () => {
      const { stock, ours } = await pair.see(side => side.shop.cluster.messages);
      assert.deepEqual(stock.map(({ action }) => action), ['egg-ready', 'shop-raw', 'shop-messenger']);
      assertAlike({ stock, ours });
    });

    it('has written the same files', async () => {
      const { stock, ours } = await pair.seeLogs(({ app, home }) => (
        listFiles({ run: path.join(app.baseDir, 'run'), logs: path.join(app.baseDir, 'logs'), home })));
      assert.ok(stock.includes(path.join('home', 'logs', 'shop', 'common-error.log')), stock.join('\n'));
      assertAlike({ stock, ours });
    });

    it('has dumped the same config', async () => {
      const { stock, ours } = await pair.see(({ app }) => withoutOverrides(readDumps(path.join(app.baseDir, 'run'))));
      assert.equal(stock['application_config.json'][0].config.shop.name, 'The Corner Shop');
      assertAlike({ stock, ours });
    });

    it('has logged the same errors', async () => {
      const { stock, ours } = await pair.seeLogs(({ home }) => fs.readFileSync(path.join(home, 'logs', 'shop', 'common-error.log'), 'utf8'));
      assert.match(stock, /a secret of the house/);
      assertAlike({ stock: errorLog(stock), ours: errorLog(ours) });
    });
  });
}

module.exports = { start, end };
