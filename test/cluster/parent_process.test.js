'use strict';

// The process that starts a master: it may let go of it, may have no channel to it, may write its output to files.

const assert = require('node:assert/strict');
const path = require('node:path');
const { getJson } = require('../helpers/http_client');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { Subject } = require('./shared/subject');

const subject = new Subject('embedded');
const starter = file => path.join(__dirname, '..', 'fixtures', 'masters', file);

function worker(master, role) {
  return processes.childrenOf(master).find(({ pid }) => processes.commandLine(pid).some(text => text.endsWith(`${role}_worker.js`))).pid;
}

async function gone(pid) {
  const process = processes.look(pid);
  assert.deepEqual(await processes.waitUntilGone(() => [process].filter(it => it && processes.isAlive(it))), []);
}

describe('the process that starts a master', () => {
  it('may disconnect and end when the cluster is ready: the master goes on, and nobody complains about the channel', async () => {
    const cluster = await subject.start({}, { starter: starter('daemon.js') });
    const { data: { master } } = await cluster.message('let go');
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
    process.kill(worker(master, 'app'), 'SIGKILL');
    await cluster.output(/app_worker#3:\d+ started at/);
    process.kill(worker(master, 'agent'), 'SIGKILL');
    await cluster.output(/agent_worker#2:\d+ started/);
    assert.equal(typeof (await getJson(cluster.options.port)).pid, 'number');
    process.kill(master, 'SIGTERM');
    await cluster.exit();
    await gone(master);
    assert.match(cluster.stdout, /\[master\] exit with code:0/);
    // The deaths stand there, and nothing else.
    assert.doesNotMatch(cluster.stderr, /channel|EPIPE|ERR_IPC|disconnected\b.*parent/i);
    assert.match(cluster.stderr, /AppWorkerDiedError[^]*AgentWorkerDiedError/);
  });

  it('may have no channel to the master', async () => {
    const cluster = await subject.start({}, { starter: starter('without_channel.js') });
    const { data: { master } } = await cluster.message('spawned');
    await cluster.output(/started on http/);
    process.kill(worker(master, 'app'), 'SIGKILL');
    await cluster.output(/app_worker#3:\d+ started at/);
    process.kill(master, 'SIGTERM');
    assert.deepEqual((await cluster.message('master-exit')).data, { code: 0, signal: null });
    await cluster.exit();
  });

  it('finds the lines of the start in its files when egg-ready arrives, and an empty file of errors at the end', async () => {
    const cluster = await subject.start({}, {
      starter: starter('writes_to_files.js'),
      env: { EGG_CLUTCH_TEST_FILES: path.join(runFolder(), 'output') },
    });
    const { data: ready } = await cluster.message('ready');
    assert.match(ready.out, /app_worker#\d:\d+ started at \d+, remain 0 \(\d+ms\)\n/);
    assert.match(ready.out, new RegExp(`egg-clutch started on http://127.0.0.1:${cluster.options.port} \\(\\d+ms\\)\n`));
    const { data: { code, signal, out, err } } = await cluster.message('master-exit');
    assert.deepEqual({ code, signal, err }, { code: 0, signal: null, err: '' });
    assert.match(out, /\[master\] exit with code:0\n$/);
  });
});
