'use strict';
// The driver that all cluster tests rely on, against pretended masters.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');

const FREE_PORT = require.resolve('../helpers/free_port');
const MASTERS = path.join(__dirname, '..', 'fixtures', 'masters');

function start(name, options = {}, settings = {}) {
  return startCluster(options, { starter: path.join(MASTERS, `${name}.js`), ...settings });
}

describe('the cluster driver', () => {
  it('hands options, entry and node flags to the master and waits for its messages and lines', async () => {
    const cluster = start('obedient', { workers: 2 }, { entry: '/some/entry', execArgv: ['--no-deprecation'] });
    const ready = await cluster.ready();
    assert.deepEqual(ready, { options: { workers: 2 }, entry: '/some/entry', execArgv: ['--no-deprecation'] });
    cluster.send({ action: 'hello', data: [1, 2] });
    const { data } = await cluster.message('echo');
    assert.deepEqual(data, [1, 2]);
    await cluster.output(/got hello/);
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  });

  it('ends what a test leaves running', async () => {
    const cluster = start('obedient');
    await cluster.ready();
  });

  it('tells why a wait was in vain, with the output of the cluster', async () => {
    const cluster = start('dies_at_start');
    await assert.rejects(cluster.ready(), error => {
      assert.match(error.message, /waited in vain for message #0 'egg-ready': it is gone \({"code":3,"signal":null}\)/);
      assert.match(error.message, /no luck today/);
      return true;
    });
    assert.deepEqual(await cluster.exit(), { code: 3, signal: null });
  });

  it('gives up a wait at its watchdog', async () => {
    const cluster = start('obedient');
    await cluster.ready();
    await assert.rejects(cluster.message('never', { timeoutMs: 50 }), /not within 50 ms/);
  });

  it('has read what was said before that for which it waited, whichever way it came', async () => {
    const [asleep, said] = ['asleep', 'said'].map(name => path.join(runFolder(), `driver-${name}`));
    const cluster = start('says_by_two_ways', { asleep, said });
    // Within the first message, so that the kernel names its way first when both have something to read.
    cluster.child.once('message', () => {
      fs.writeFileSync(asleep, '');
      while (!fs.existsSync(said));
    });
    await cluster.message('told');
    assert.equal(cluster.stdout, 'the line before the message\n');
  });

  it('finds a process that the cluster left behind, names it and kills it', async () => {
    const cluster = start('leaves_a_child');
    const { child } = await cluster.ready();
    const seen = processes.look(child);
    cluster.kill();
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    await assert.rejects(cluster.assertNothingLeft(0), error => {
      assert.match(error.message, /left over from \d+/);
      assert.ok(error.message.includes(`\n${child} `), error.message);
      return true;
    });
    assert.deepEqual(await processes.waitUntilGone(() => [seen].filter(processes.isAlive)), []);
  });
});

describe('a port for a test', () => {
  it('is handed to nobody else, in other runs of the tests neither', async () => {
    const port = await freePort();
    const elsewhere = `require(${JSON.stringify(FREE_PORT)}).take(${port}).then(isTaken => process.stdout.write(String(isTaken)))`;
    assert.equal(execFileSync(process.execPath, ['-e', elsewhere], { encoding: 'utf8' }), 'false');
  });
});
