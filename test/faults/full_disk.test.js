'use strict';
// There is no room left for what is written: /dev/full refuses every byte with ENOSPC (full(4)).

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startFolder } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');

describe('a cluster without room on its disk', () => {
  it('serves, replaces its dead and stops in order, although no line of its log can be written', async () => {
    const full = fs.openSync('/dev/full', 'w');
    const cluster = await startFolder('stands_still', {}, { stdio: ['ignore', full, full, 'ipc'] });
    fs.closeSync(full);
    const { port } = await cluster.ready();
    const before = cluster.appPids();
    assert.equal(before.length, 2);
    process.kill(before[0], 'SIGKILL');
    await cluster.message('app-worker-died');
    await until(() => {
      const now = cluster.appPids();
      return now.length === 2 && !now.includes(before[0]);
    }, 'the successor');
    assert.equal((await get(port)).status, 200);
    cluster.kill();
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
  });

  it('says so and ends with 1 where its pid cannot be written', async () => {
    // A link, because the file is removed in the end.
    const pidFile = path.join(runFolder(), 'full.pid');
    fs.symlinkSync('/dev/full', pidFile);
    const cluster = await startFolder('leaves_on_order', { pidFile });
    assert.equal((await cluster.exit()).code, 1);
    assert.match(cluster.stderr, /pidFile .*full\.pid could not be written: No space left on device/);
  });
});
