'use strict';

// A cluster that cannot serve any more ends, so that whoever started it can act. It takes half a minute, as in egg's layer.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { assertInOrder } = require('../helpers/lines');
const { runFolder } = require('../helpers/run_folder');
const { Subject } = require('./shared/subject');

describe('a cluster none of whose apps comes back', () => {
  it('exits with 1 after the third bad look, and says how many are left', async () => {
    const file = path.join(runFolder(), 'no-apps');
    const cluster = await new Subject('embedded').start({}, { fault: { role: 'app', how: 'exit', file } });
    await cluster.ready();
    fs.writeFileSync(file, '');
    for (const pid of cluster.appPids()) process.kill(pid, 'SIGKILL');
    assert.deepEqual(await cluster.exit({ timeoutMs: 50000 }), { code: 1, signal: null });
    await cluster.assertNothingLeft();
    fs.rmSync(file);
    assertInOrder(cluster.stderr, [
      'nodejs.ClusterWorkerExceptionError: [master] 1 agent and 0 worker(s) alive, exit to avoid unknown state\n',
      'count: {"agent":1,"worker":0}\n',
      '[master] exit with code:1\n',
    ]);
  });
});
