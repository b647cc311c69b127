'use strict';
// Section 9: the sticky port, and what comes to a worker by it.

const assert = require('node:assert/strict');
const { freePort } = require('../helpers/free_port');
const { get, getJson } = require('../helpers/http_client');
const { ask, told } = require('../helpers/probe');
const { scenario } = require('./contract');

const CLIENTS = Array.from({ length: 20 }, (_, client) => `127.0.0.${client + 1}`);

function innerPort(cluster) {
  return JSON.parse(cluster.workers().find(({ role }) => role === 'app').argv.at(-1)).stickyWorkerPort;
}

/** Which app answers this address on the port of the cluster. */
async function pidFor(cluster, localAddress) {
  const { pid } = await getJson({ port: cluster.options.port, localAddress });
  return pid;
}

async function assertStays(cluster) {
  const first = new Map();
  for (const client of CLIENTS) first.set(client, await pidFor(cluster, client));
  for (const [client, pid] of first) assert.equal(await pidFor(cluster, client), pid, client);
  assert.equal(new Set(first.values()).size, 2, 'both apps have clients');
  return first;
}

scenario('a sticky cluster', {
  async start(subject) {
    const cluster = await subject.start({ sticky: true }, { fault: { role: 'app', index: 1, how: 'hold' } });
    await told(cluster, 'probe-fault');
    const [, first] = await cluster.output(/app_worker#1:(\d+) started at/);
    const [, second] = await cluster.output(/app_worker#2:(\d+) start,/);
    const early = await get(cluster.options.port).catch(error => error.code);
    await ask(cluster, second, 'go');
    await cluster.ready();
    return { cluster, early, pids: [Number(first), Number(second)] };
  },
}, line => {
  line('9.1', async ({ cluster, early }) => {
    assert.equal(early, 'ECONNREFUSED');
    const { port } = cluster.options;
    const inner = innerPort(cluster);
    assert.notEqual(inner, port);
    for (const host of ['127.0.0.1', '127.0.0.2', '::1', 'localhost']) assert.equal((await get({ port, host })).status, 200, host);
    assert.equal((await get(inner)).status, 200);
    await assert.rejects(get({ port: inner, host: '127.0.0.2' }), { code: 'ECONNREFUSED' });
  });

  line('9.2', ({ cluster }) => assertStays(cluster), {
    // The digits of the address as one number, modulo the number of apps.
    async stock({ cluster, pids }) {
      for (const [client, pid] of await assertStays(cluster)) {
        assert.equal(pid, pids[Number(client.replace(/\D/g, '')) % pids.length], client);
      }
    },
  });

  line('9.3', ({ cluster, pids }) => {
    const { port } = cluster.options;
    assert.match(cluster.stdout, new RegExp(String.raw`\[master\] small started on http://127.0.0.1:${port} \(\d+ms\) with STICKY MODE!`));
    for (const pid of pids) assert.match(cluster.stdout, new RegExp(`:${pid} started at ${innerPort(cluster)}, remain `));
  });

  line('4.2.26', async ({ cluster, pids }) => {
    const taken = async () => (await Promise.all(pids.map(pid => ask(cluster, pid, 'raw', 'sticky-session:connection')))).flat();
    const before = (await taken()).length;
    for (const client of CLIENTS) await pidFor(cluster, client);
    const messages = await taken();
    assert.equal(messages.length, before + CLIENTS.length);
    assert.deepEqual(new Set(messages), new Set(['sticky-session:connection']));
  });
});

scenario('a sticky cluster whose config has the port', {
  async start(subject) {
    const port = await freePort();
    const cluster = await subject.start({ sticky: true, port: undefined }, { config: { cluster: { listen: { port } } } });
    return { cluster, port, ready: await cluster.ready() };
  },
}, line => {
  line('9.4', async ({ port, ready }) => {
    assert.deepEqual({ port: ready.port, address: ready.address }, { port, address: `http://127.0.0.1:${port}` });
    assert.equal((await get(port)).status, 200);
  });
});
