'use strict';
// Every kind of address that an app may listen on: one socket in the master, served by all workers.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { startFolder, startedPids } = require('../helpers/folder_cluster');
const { attempt, order } = require('../helpers/orders');
const { get } = require('../helpers/http_client');
const { runFolder } = require('../helpers/run_folder');

/** The pids that answer until all of `pids` have; the watchdog of the test ends it where one never does. */
async function everybodyAnswers(where, pids) {
  const seen = new Set();
  while (seen.size < pids.length) {
    const { body } = await get(where);
    assert.ok(pids.includes(Number(body)), `${body} is none of ${pids}`);
    seen.add(Number(body));
  }
}

async function pong(type, address, port) {
  const client = dgram.createSocket(type);
  const answer = new Promise((resolve, reject) => {
    client.once('message', message => resolve(Number(message)));
    client.once('error', reject);
  });
  client.send('ping', port, address);
  try {
    return await answer;
  } finally {
    client.close();
  }
}

describe('an app that listens', () => {
  let cluster;
  let pids;
  let folder;
  const everywhere = (command, argument) => Promise.all(pids.map(pid => order(cluster, pid, command, argument)));

  before(async () => {
    folder = fs.mkdtempSync(path.join(runFolder(), 'listen-'));
    cluster = await startFolder('listens_on_order', {}, { cwd: folder });
    await cluster.ready();
    pids = startedPids(cluster);
  });

  after(() => cluster.stop());

  for (const [what, options, host, family] of [
    ['port 0 of all addresses', { port: 0 }, '127.0.0.1', 'IPv6'],
    ['port 0 of 127.0.0.1', { port: 0, host: '127.0.0.1' }, '127.0.0.1', 'IPv4'],
    ['port 0 of ::1', { port: 0, host: '::1' }, '::1', 'IPv6'],
    ['port 0 of ::, IPv6 only', { port: 0, host: '::', ipv6Only: true }, '::1', 'IPv6'],
  ]) {
    it(`on ${what} has one port in all workers, and all serve it`, async () => {
      const [first, second] = await everywhere('listen', { name: what, options });
      assert.deepEqual(first, second);
      assert.equal(first.family, family);
      await everybodyAnswers({ port: first.port, host }, pids);
      if (options.ipv6Only) await assert.rejects(get({ port: first.port, host: '127.0.0.1' }), { code: 'ECONNREFUSED' });
    });
  }

  it('on port 0 twice has two ports', async () => {
    const [first] = await everywhere('listen', { name: 'one', options: { port: 0 } });
    const [second] = await everywhere('listen', { name: 'two', options: { port: 0 } });
    assert.notEqual(first.port, second.port);
    await everybodyAnswers(second.port, pids);
  });

  it('on a unix socket serves it from all workers, and the path goes when all have closed', async () => {
    for (const [name, socketPath] of [['absolute', path.join(folder, 'a.sock')], ['relative', 'r.sock']]) {
      const [first, second] = await everywhere('listen', { name, options: { path: socketPath } });
      assert.equal(first, socketPath);
      assert.equal(second, socketPath);
      await everybodyAnswers({ socketPath: path.resolve(folder, socketPath) }, pids);
      await everywhere('close', name);
      // The answers came over another channel than the closing itself is seen on: a round through the master settles it.
      await everywhere('listen', { name: `${name} again`, options: { path: socketPath } });
      await everybodyAnswers({ socketPath: path.resolve(folder, socketPath) }, pids);
    }
  });

  it('on a unix socket for everybody gives the path those permissions', async () => {
    const socketPath = path.join(folder, 'open.sock');
    await everywhere('listen', { name: 'open', options: { path: socketPath, readableAll: true, writableAll: true } });
    assert.equal(fs.statSync(socketPath).mode & 0o666, 0o666);
  });

  it('exclusively has a socket of its own in each worker', async () => {
    const [first, second] = await everywhere('listen', { name: 'exclusive', options: { port: 0, exclusive: true } });
    assert.notEqual(first.port, second.port);
    assert.equal(Number((await get(first.port)).body), pids[0]);
    assert.equal(Number((await get(second.port)).body), pids[1]);
  });

  for (const [type, address] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
    it(`over ${type} shares one socket with all workers`, async () => {
      const [first, second] = await everywhere('bind', { name: type, type, options: { port: 0, address } });
      assert.deepEqual(first, second);
      assert.ok(pids.includes(await pong(type, address, first.port)));
    });
  }

  it('can close its server everywhere and open the same port again', async () => {
    const [{ port }] = await everywhere('listen', { name: 'first time', options: { port: 0 } });
    await order(cluster, pids[0], 'close', 'first time');
    assert.equal(Number((await get(port)).body), pids[1], 'the other one still serves');
    await order(cluster, pids[1], 'close', 'first time');
    await everywhere('listen', { name: 'second time', options: { port } });
    await everybodyAnswers(port, pids);
  });

  it('gets the errors that a primary of Node gives', async () => {
    const taken = net.createServer().listen(0);
    const { port } = taken.address();
    try {
      for (const [options, expected] of [
        [{ port }, { code: 'EADDRINUSE', message: `bind EADDRINUSE null:${port}` }],
        [{ port, host: '127.0.0.1' }, { code: 'EADDRINUSE', message: `bind EADDRINUSE 127.0.0.1:${port}` }],
        [{ port: 0, host: '203.0.113.1' }, { code: 'EADDRNOTAVAIL', message: 'bind EADDRNOTAVAIL 203.0.113.1' }],
        [{ path: '/nowhere/at/all.sock' }, { code: 'EACCES', message: 'bind EACCES /nowhere/at/all.sock' }],
      ]) {
        for (const pid of pids) {
          const { error } = await attempt(cluster, pid, 'listen', { name: 'fails', options });
          assert.equal(error?.code, expected.code);
          assert.equal(error?.message, expected.message);
        }
      }
    } finally {
      taken.close();
    }
  });
});

describe('a server that takes no more connections', () => {
  it('passes them on to the others, and drops what nobody takes', async () => {
    const cluster = await startFolder('listens_on_order');
    await cluster.ready();
    const [first, second] = startedPids(cluster);
    const { port } = await order(cluster, first, 'listen', { name: 'full', options: { port: 0, host: '127.0.0.1' } });
    await order(cluster, second, 'listen', { name: 'full', options: { port: 0, host: '127.0.0.1' } });
    // One connection is kept open in each worker, and then the first has no room for another.
    const held = [];
    const hold = () => new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
      held.push(socket);
      socket.once('error', reject);
    });
    await order(cluster, first, 'limit', { name: 'full', maxConnections: 1 });
    await hold();
    await hold();
    for (let turn = 0; turn < 4; turn += 1) assert.equal(Number((await get(port)).body), second);
    await order(cluster, second, 'limit', { name: 'full', maxConnections: 1 });
    await assert.rejects(get(port));
    for (const socket of held) socket.destroy();
  });
});

describe('a worker that stands still', () => {
  it('keeps one connection at the most, while the others serve', async () => {
    const cluster = await startFolder('listens_on_order');
    const { port } = await cluster.ready();
    const [first, second] = startedPids(cluster);
    const file = path.join(fs.mkdtempSync(path.join(runFolder(), 'block-')), 'while');
    fs.writeFileSync(file, '');
    const blocked = attempt(cluster, first, 'block', { path: file });
    await cluster.output(`blocked ${first}`);
    const answers = Array.from({ length: 20 }, () => get(port));
    // All but one come back while it stands still.
    const early = new Set();
    await new Promise((resolve, reject) => {
      for (const answer of answers) {
        answer.then(({ body }) => {
          assert.equal(Number(body), second);
          early.add(answer);
          if (early.size >= answers.length - 1) resolve();
        }).catch(reject);
      }
    });
    fs.rmSync(file);
    await blocked;
    await Promise.all(answers);
  });
});
