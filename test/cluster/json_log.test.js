'use strict';
// log: 'json': what the master and the embedded framework print is one JSON object a line.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { startSteerable, steer } = require('../helpers/steering');

const parsed = text => text.split('\n').filter(Boolean).map(line => JSON.parse(line));

describe('a log of JSON lines', () => {
  it('tells of each line which process it is about, why that has died, and in which phase of the cluster', async () => {
    const cluster = await startSteerable('vital_signs', { log: 'json' });
    await cluster.ready();
    await started(cluster, 1);
    const [victim] = startedPids(cluster);
    process.kill(victim, 'SIGKILL');
    await started(cluster, 2);
    await steer(cluster, 'reload');
    cluster.kill();
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });

    const lines = [...parsed(cluster.stdout), ...parsed(cluster.stderr)];
    for (const line of lines) {
      assert.ok(!Number.isNaN(Date.parse(line.time)) && typeof line.message === 'string', JSON.stringify(line));
      assert.equal(line.pid, cluster.pid);
    }
    const about = lines.filter(line => line.workerPid === victim);
    assert.ok(about.length >= 3, JSON.stringify(about));
    for (const { role, worker, slot, generation } of about) {
      assert.deepEqual({ role, slot, generation }, { role: 'app', slot: worker - 1, generation: 1 });
    }
    const [death] = about.filter(line => line.cause);
    assert.deepEqual([death.cause, death.level], ['killed', 'warn']);
    const phases = lines.filter(line => line.durationMs !== undefined).map(({ phase, outcome }) => [phase, outcome]);
    assert.deepEqual(phases, [['boot', 'done'], ['reload', 'done'], ['drain', 'done']]);
    const inReload = lines.filter(line => line.phase === 'reload' && / started at /.test(line.message));
    assert.deepEqual(inReload.map(line => line.generation).sort(), [2, 3]);
  });

  it('has what the embedded framework logs, too, and nothing below the level of the environment', async () => {
    const cluster = await startFolder('vital_signs', { log: 'json', workers: 1 }, { env: { EGG_MASTER_LOGGER_LEVEL: 'ERROR' } });
    const { port } = await cluster.ready();
    await get(port, '/log/');
    await cluster.output(/logged by/);
    const [pid] = cluster.appPids();
    const [{ time, ...line }, ...rest] = parsed(cluster.stdout);
    assert.deepEqual([line, ...rest], [{ level: 'warn', pid, role: 'app', worker: 1, message: `logged by ${pid}` }]);
    assert.ok(!Number.isNaN(Date.parse(time)));
    await cluster.stop();
  });
});
