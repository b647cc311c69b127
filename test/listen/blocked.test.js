'use strict';
// One of four workers stands still, whatever way connections are dealt: what waits at it is answered by the others, and nothing new reaches
// it until it goes on.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { tell } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const WORKERS = 4;
const STUCK = { steerAfter: 200, killAfter: 600000, stack: false };

const MODES = { 'least-busy': {}, 'round-robin': {}, 'kernel': {}, 'reusePort': { balance: undefined, reusePort: true } };

async function answering(port, times) {
  const answers = await Promise.all(Array.from({ length: times }, () => askOnce(port, '/')));
  return answers.map(({ error, body }) => error ?? Number(body));
}

for (const [mode, options] of Object.entries(MODES)) {
  describe(`a worker that is blocked, with ${mode}`, () => {
    it('keeps no connection from the others, gets none after steerAfter, and serves again when it goes on', async () => {
      const cluster = await startFolder('answers_on_order', { workers: WORKERS, balance: mode, stuck: STUCK, ...options });
      const { port } = await cluster.ready();
      await started(cluster, WORKERS - 1);
      const [blocked, ...others] = startedPids(cluster);
      await until(async () => (await answering(port, 10)).includes(blocked), 'it has served');
      const gate = path.join(runFolder(), `blocked-${cluster.pid}`);
      fs.writeFileSync(gate, '');
      tell(cluster, blocked, 'block', { path: gate });
      await cluster.output(`blocked ${blocked}`);
      // At once, before anybody can know that it stands still.
      for (const pid of await answering(port, 60)) assert.ok(others.includes(pid), String(pid));
      await cluster.output(/stands still/);
      for (let turn = 0; turn < 5; turn++) {
        for (const pid of await answering(port, 20)) assert.ok(others.includes(pid), String(pid));
      }
      fs.rmSync(gate);
      await until(async () => (await answering(port, 10)).includes(blocked), 'it serves again');
    });
  });
}
