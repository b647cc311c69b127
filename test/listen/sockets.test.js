'use strict';
// Sockets that a worker cannot simply open by an address: inherited ones, both families on one port, names that are too long, and the
// life of an extra server's port.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get } = require('../helpers/http_client');
const { attempt, order } = require('../helpers/orders');
const { descriptors, descriptorsAtRest } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');

async function start(settings) {
  const cluster = await startFolder('listens_on_order', {}, settings);
  await cluster.ready();
  await started(cluster, 1);
  const pids = startedPids(cluster);
  const everywhere = (command, argument) => Promise.all(pids.map(pid => order(cluster, pid, command, argument)));
  return { cluster, pids, everywhere };
}

/** Every one of these workers answers here, and nobody else. Which one comes first is for the balance to say. */
async function assertServed(where, pids) {
  const seen = new Set();
  await until(async () => {
    seen.add(Number((await get(where)).body));
    return seen.size >= pids.length;
  }, `all of ${pids} have answered`);
  assert.deepEqual(sorted(seen), sorted(pids));
}

/** The number of a datagram socket's descriptor, which Node keeps to itself. */
function descriptorOf(socket) {
  return socket[Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === 'state symbol')].handle.fd;
}

const sorted = numbers => [...numbers].sort((one, other) => one - other);

describe('a socket that the master inherited', () => {
  // Behind the standard ones and the channel.
  const FD = 4;

  it('is served by all workers, and left open for the master', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const { cluster, pids, everywhere } = await start({ stdio: ['ignore', 'pipe', 'pipe', 'ipc', server._handle.fd] });
    server.close();
    for (let time = 0; time < 2; time++) {
      const [first, second] = await everywhere('listen', { name: 'inherited', options: { fd: FD } });
      assert.deepEqual([first.address, first.port], ['127.0.0.1', port]);
      assert.deepEqual(second, first);
      await assertServed(port, pids);
      await everywhere('close', 'inherited');
    }
    assert.ok(fs.readlinkSync(`/proc/${cluster.pid}/fd/${FD}`).startsWith('socket:'));
  });

  it('may be one of datagrams', async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const { pids, everywhere } = await start({ stdio: ['ignore', 'pipe', 'pipe', 'ipc', descriptorOf(socket)] });
    socket.close();
    const [first, second] = await everywhere('bind', { name: 'inherited', type: 'udp4', options: { fd: FD } });
    assert.equal(first.port, port);
    assert.deepEqual(second, first);
    const client = dgram.createSocket('udp4');
    client.send('ping', port, '127.0.0.1');
    const [message] = await once(client, 'message');
    client.close();
    assert.ok(pids.includes(Number(message)));
  });
});

describe('an extra server of an app', () => {
  let cluster;
  let pids;
  let everywhere;

  before(async () => { ({ cluster, pids, everywhere } = await start()); });
  after(() => cluster.stop());

  it('on all addresses answers over both families', async () => {
    const [{ port }] = await everywhere('listen', { name: 'both', options: { port: 0, host: '::' } });
    for (const host of ['127.0.0.1', '::1']) await assertServed({ host, port }, pids);
  });

  it('of one family leaves the port of the other free', async () => {
    const port = await freePort();
    await everywhere('listen', { name: 'four', options: { port, host: '127.0.0.1' } });
    await everywhere('listen', { name: 'six', options: { port, host: '::', ipv6Only: true } });
    for (const host of ['127.0.0.1', '::1']) await assertServed({ host, port }, pids);
  });

  it('leaves nothing open when all workers have closed it, however often it is opened', async () => {
    const before = await descriptorsAtRest(cluster.pid, pids.length + 1);
    const port = await freePort();
    for (let time = 0; time < 5; time++) {
      await everywhere('listen', { name: 'again', options: { port } });
      await assertServed(port, pids);
      await everywhere('close', 'again');
      await until(() => get(port).then(() => false, ({ code }) => code === 'ECONNREFUSED'), 'the port is closed');
    }
    await until(() => descriptors(cluster.pid) <= before, `no more than ${before} descriptors are open`);
  });

  it('on a name that is too long for the kernel fails with a reason, and the master goes on', async () => {
    const socketPath = path.join(runFolder(), 'x'.repeat(120));
    const { error } = await attempt(cluster, pids[0], 'listen', { name: 'long', options: { path: socketPath } });
    assert.match(error.code, /^(EINVAL|ENAMETOOLONG)$/);
    assert.equal(error.message, `bind ${error.code} ${socketPath}`);
    await order(cluster, pids[1], 'listen', { name: 'after', options: { port: 0 } });
  });

  it('on the working directory itself fails, where Node\'s primary dies of it', async () => {
    const { error } = await attempt(cluster, pids[0], 'listen', { name: 'here', options: { path: process.cwd() } });
    assert.equal(error.code, 'EADDRINUSE');
    await order(cluster, pids[1], 'listen', { name: 'after all', options: { port: 0 } });
  });

  it('on a socket file is closed with its file, and does not remove the file of somebody else', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clutch-'));
    const file = path.join(folder, 'a.sock');
    await everywhere('listen', { name: 'file', options: { path: file } });
    fs.rmSync(file);
    fs.writeFileSync(file, 'not yours');
    await everywhere('close', 'file');
    await everywhere('listen', { name: 'settled', options: { port: 0 } });
    assert.equal(fs.readFileSync(file, 'utf8'), 'not yours');
    fs.rmSync(folder, { recursive: true });
  });
});
