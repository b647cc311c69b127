'use strict';

const assert = require('node:assert/strict');
const { get, getJson, Connection } = require('../../helpers/http_client');

// More than enough for one connection in turn to reach each of two workers.
const CONNECTIONS = 200;

async function answeringPids(where, until) {
  const pids = new Set();
  for (let sent = 0; sent < CONNECTIONS && pids.size < until; sent++) pids.add((await getJson(where)).pid);
  return [...pids].sort();
}

module.exports = service => describe('serving', () => {
  it('answers fresh connections to its one port from every worker', async () => {
    const { port } = service.cluster.options;
    assert.deepEqual(await answeringPids(port, 2), [...service.apps].sort());
  });

  for (const host of ['127.0.0.1', 'localhost', '::1', '0.0.0.0']) {
    it(`answers at ${host}`, async () => {
      const { status } = await get({ host, port: service.cluster.options.port });
      assert.equal(status, 200);
    });
  }

  it('answers many connections at once', async () => {
    const { port } = service.cluster.options;
    const answers = await Promise.all(Array.from({ length: CONNECTIONS }, () => getJson(port)));
    for (const { pid } of answers) assert.ok(service.apps.includes(pid));
  });

  it('keeps a kept connection with its worker', async () => {
    const connection = new Connection(service.cluster.options.port);
    const pids = new Set();
    for (let sent = 0; sent < 10; sent++) pids.add((await connection.get()).json().pid);
    connection.close();
    assert.equal(pids.size, 1);
  });

  it('does not count a server that an app opens elsewhere as a start', async () => {
    const [app] = service.apps;
    const port = await service.ask(app, 'listenElsewhere');
    assert.equal((await get(port)).body, 'elsewhere');
    assert.ok(!service.cluster.stdout.includes(`started at ${port}`));
  });
});
