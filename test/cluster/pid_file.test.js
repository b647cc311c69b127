'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { told } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');
const { Subject } = require('./shared/subject');

describe('pidFile', () => {
  const subject = new Subject('embedded');
  const pidFile = () => path.join(runFolder(), 'pids', 'of the', 'master.pid');

  it("holds the master's pid before anything is forked, in folders that are made for it, and goes with the master", async () => {
    const cluster = await subject.start({ pidFile: pidFile() });
    await told(cluster, 'probe-booting');
    assert.equal(fs.readFileSync(pidFile(), 'utf8'), String(cluster.pid));
    await cluster.ready();
    assert.equal(fs.readFileSync(pidFile(), 'utf8'), String(cluster.pid));
    await cluster.stop();
    assert.ok(!fs.existsSync(pidFile()));
    assert.equal(cluster.stderr, '');
  });

  it('goes with a master that fails to start', async () => {
    const cluster = await subject.start({ pidFile: pidFile() }, { fault: { role: 'agent', how: 'exit' } });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    assert.ok(!fs.existsSync(pidFile()));
  });

  it('may be gone already when the master exits', async () => {
    const cluster = await subject.start({ pidFile: pidFile() });
    await cluster.ready();
    fs.rmSync(pidFile());
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.equal(cluster.stderr, '');
  });

  it('ends the start with 1, before anything is forked, where it cannot be written', async () => {
    const cluster = await subject.start({ pidFile: '/proc/no/such.pid' });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    assert.match(cluster.stderr, /\/proc\/no/);
    assert.doesNotMatch(cluster.stdout, /agent_worker#1/);
  });
});
