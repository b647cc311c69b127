'use strict';
// How a cluster boots: what it runs, how many at once, and what its processes share to be quick.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { bootsAtOnce } = require('../../lib/options/cpu_count');
const { APPS, startFolder, startedPids } = require('../helpers/folder_cluster');
const { getJson } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');

const ROOT = path.join(__dirname, '..', '..');
const BUNDLE = path.join(APPS, 'is_bundled');
const [major, minor] = process.versions.node.split('.').map(Number);
const hasCompileCache = major > 22 || (major === 22 && minor >= 1);

function temporary(name) {
  const folder = path.join(runFolder(), name);
  fs.mkdirSync(folder);
  return folder;
}

const filesIn = folder => (fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true }) : []);

describe('boot', () => {
  it('forks as many apps as may boot at once, and the next whenever one of them is ready', async () => {
    const limit = bootsAtOnce();
    const cluster = await startFolder('plain', { workers: limit + 2 });
    await cluster.ready();
    const lines = cluster.stdout.match(/app_worker#\d+:\d+ start(?=,)|app_worker#\d+:\d+ started at/g);
    const firstReady = lines.findIndex(line => line.endsWith('started at'));
    assert.equal(firstReady, limit);
    let booting = 0;
    for (const line of lines) {
      booting += line.endsWith('started at') ? -1 : 1;
      assert.ok(booting <= limit, lines.join('\n'));
    }
    assert.equal(startedPids(cluster).length, limit + 2);
  });

  it('has its processes share what V8 has compiled, and their code and children do not see how', async () => {
    const TMPDIR = temporary('shares-compiled');
    const cluster = await startFolder('plain', { workers: 1 }, { env: { TMPDIR } });
    await cluster.ready();
    for (const { pid } of cluster.workers()) {
      const { env } = await ask(cluster, pid, 'facts');
      assert.deepEqual(Object.keys(env).filter(name => name.includes('COMPILE_CACHE')), []);
    }
    await cluster.stop();
    const folder = path.join(TMPDIR, `egg-clutch-${process.getuid()}`, 'compile-cache');
    assert.equal(filesIn(folder).length > 1, hasCompileCache, `files in ${folder}: ${filesIn(folder)}`);
  });

  it('leaves the cache to whoever has set one, or wants none', async () => {
    const TMPDIR = temporary('own-cache');
    const cluster = await startFolder('answers_on_order', { workers: 1 }, { env: { TMPDIR, NODE_DISABLE_COMPILE_CACHE: '1' } });
    await cluster.ready();
    await cluster.stop();
    assert.deepEqual(filesIn(path.join(TMPDIR, `egg-clutch-${process.getuid()}`, 'compile-cache')), []);
  });
});

describe('the entries of a bundle', () => {
  const files = { appWorkerFile: './app_worker.js', agentWorkerFile: './agent_worker.js' };

  const startBundle = options => startFolder('is_bundled', { framework: ROOT, workers: 1, timeouts: { drain: '300ms' }, ...options });

  it('run in the place of our scripts, tied to the master as these are', async () => {
    const cluster = await startBundle(files);
    const { port } = await cluster.ready();
    const { script, heard, builtAs } = await getJson(port, '/');
    assert.deepEqual({ script, heard, builtAs }, { script: path.join(BUNDLE, 'app_worker.js'), heard: [], builtAs: undefined });
    // The guard is there: nobody outlives the master, although the entry does nothing for that.
    cluster.kill('SIGKILL');
    await cluster.assertNothingLeft();
  });

  it('are restored from their snapshots', async () => {
    const blob = path.join(temporary('snapshot'), 'app.blob');
    execFileSync(process.execPath, ['--snapshot-blob', blob, '--build-snapshot', path.join(BUNDLE, 'app_worker.js')]);
    const cluster = await startBundle({ ...files, appSnapshotBlob: blob });
    const { port } = await cluster.ready();
    const { pid, heard, builtAs } = await getJson(port, '/');
    assert.deepEqual({ heard, builtAs }, { heard: [], builtAs: 'snapshot' });
    assert.deepEqual(cluster.appPids(), [pid]);
    cluster.kill('SIGKILL');
    await cluster.assertNothingLeft();
  });
});
