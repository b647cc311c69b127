'use strict';
// The same tries to listen under Node's own cluster and under ours, in two workers each, end in the same way: the same addresses,
// and the same errors down to the text.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { order } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');

const PLAIN = path.join(__dirname, '..', 'fixtures', 'listening', 'plain_primary.js');

class PlainCluster {
  static async start(cwd) {
    const plain = new PlainCluster();
    plain.child = fork(PLAIN, { cwd });
    plain.ended = once(plain.child, 'exit');
    await plain.message();
    return plain;
  }

  /** Node's primary throws at some tries; then there is nothing to compare with. */
  async message() {
    const [answer] = await Promise.race([once(this.child, 'message'), this.ended]);
    if (this.child.exitCode !== null) throw new Error("Node's primary has ended");
    return answer;
  }

  async order(worker, command, argument) {
    this.child.send({ worker, command, argument });
    return (await this.message()).result;
  }

  async stop() {
    if (this.child.connected) this.child.disconnect();
    await this.ended;
  }
}

describe('a try to listen', () => {
  const given = {};
  let short;
  let plain;
  let ours;
  let pids;
  let taken;

  before(async () => {
    // From here a name is short; from the root it is longer than the name of a socket may be.
    const folder = path.join(fs.mkdtempSync(path.join(runFolder(), 'like-')), 'x'.repeat(108));
    short = fs.mkdtempSync(path.join(os.tmpdir(), 'like-'));
    fs.mkdirSync(path.join(folder, 'folder'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'taken.sock'), '');
    plain = await PlainCluster.start(folder);
    ours = await startFolder('listens_like_node', {}, { cwd: folder });
    await ours.ready();
    await started(ours, 1);
    pids = startedPids(ours);
    const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    const tcp = net.createServer().listen(0);
    await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
    taken = [udp, tcp];
    const [TAKEN, TAKEN_UDP] = [tcp.address().port, udp.address().port];
    Object.assign(given, { FREE: await freePort(), TAKEN, TAKEN_UDP, FOLDER: folder, SHORT: short });
  });

  after(async () => {
    for (const socket of taken) socket.close();
    await plain.stop();
    await ours.stop();
    // Everything that was bound there has gone.
    fs.rmdirSync(short);
  });

  /** `$NAME` stands for what is only known when the test runs. */
  function filled(value) {
    if (typeof value === 'string') {
      if (Object.hasOwn(given, value.slice(1))) return given[value.slice(1)];
      return value.replace(/^\$(FOLDER|SHORT)/, (_, name) => given[name]);
    }
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
  }

  async function inBoth(what, command = 'attempt') {
    const results = { plain: [], ours: [] };
    for (const worker of [0, 1]) results.plain.push(await plain.order(worker, command, what));
    for (const worker of [0, 1]) await plain.order(worker, 'closeAll');
    for (const pid of pids) results.ours.push(await order(ours, pid, command, what));
    for (const pid of pids) await order(ours, pid, 'closeAll');
    return results;
  }

  for (const [how, what] of [
    ['listens', { port: 0 }],
    ['listens', { port: '$FREE' }],
    ['listens', { port: '$FREE', host: '0.0.0.0' }],
    ['listens', { port: '$FREE', host: '127.0.0.1' }],
    ['listens', { port: '$FREE', host: '127.0.0.1', backlog: 1 }],
    ['listens', { port: '$FREE', host: '::' }],
    ['listens', { port: '$FREE', host: '::', ipv6Only: true }],
    ['listens', { port: '$FREE', host: '::1' }],
    ['listens', { port: '$FREE', host: '::ffff:127.0.0.1' }],
    ['listens', { port: 0, host: 'localhost' }],
    ['listens', { port: 0, host: '127.0.0.1', exclusive: true }],
    ['listens', { path: '$SHORT/absolute.sock' }],
    ['listens', { path: '$SHORT/open.sock', readableAll: true, writableAll: true }],
    ['listens', { path: '$FOLDER/long.sock' }],
    ['listens', { path: 'relative.sock' }],
    ['listens', { path: './folder/../relative.sock' }],
    ['failed', { port: '$TAKEN' }],
    ['failed', { port: '$TAKEN', host: '127.0.0.1' }],
    ['failed', { port: '$TAKEN', host: '::' }],
    ['failed', { port: '$TAKEN', exclusive: true }],
    ['failed', { port: 0, host: '203.0.113.1' }],
    ['failed', { port: 0, host: '2001:db8::1' }],
    ['failed', { path: '$FOLDER/taken.sock' }],
    ['failed', { path: '$FOLDER/folder' }],
    ['failed', { path: '$FOLDER/no/such/folder/a.sock' }],
    ['failed', { path: '$FOLDER/taken.sock/a.sock' }],
    ['failed', { fd: 99999 }],
    ['failed', { fd: 0 }],
    ['thrown', { port: 65536 }],
    ['thrown', { port: 'http' }],
    ['listens', { port: 0, address: '127.0.0.1' }, 'udp4'],
    ['listens', { port: '$FREE', address: '127.0.0.1' }, 'udp4'],
    ['listens', { port: '$FREE' }, 'udp4'],
    ['listens', {}, 'udp4'],
    ['listens', { port: '$FREE', address: '::1' }, 'udp6'],
    ['listens', { port: '$FREE' }, 'udp6', { ipv6Only: true }],
    ['listens', { port: '$FREE', address: '127.0.0.1' }, 'udp4', { reuseAddr: true }],
    ['listens', { port: 0, address: '127.0.0.1', exclusive: true }, 'udp4'],
    ['failed', { port: '$TAKEN_UDP', address: '127.0.0.1' }, 'udp4'],
    ['failed', { port: '$TAKEN_UDP', address: '127.0.0.1', exclusive: true }, 'udp4'],
    ['failed', { port: 0, address: '203.0.113.1' }, 'udp4'],
    ['failed', { port: 0, address: '::1' }, 'udp4'],
  ].map(([how, options, type, settings]) => [how, { options, type, settings }])) {
    it(`${how === 'listens' ? 'succeeds' : 'fails'} as with Node: ${what.type ?? ''} ${JSON.stringify({ ...what.options, ...what.settings })}`, async () => {
      const results = await inBoth(filled(what));
      assert.deepEqual(results.ours, results.plain);
      for (const result of results.ours) assert.deepEqual(Object.keys(result), [how]);
    });
  }

  for (const options of [{ port: '$FREE' }, { port: 0 }, { path: '$SHORT/twice.sock' }]) {
    it(`ends as with Node where the same worker listens there already: ${JSON.stringify(options)}`, async () => {
      // The third time it is free again.
      for (let time = 0; time < 3; time++) {
        const tries = [0, 1].map(() => ({ options: filled(options) }));
        const { ours: results, plain: expected } = await inBoth(tries, 'attempts');
        assert.deepEqual(results, expected);
        for (const [first, second] of results) {
          assert.deepEqual([Object.keys(first), Object.keys(second)], [['listens'], [options.port === 0 ? 'listens' : 'failed']]);
        }
      }
    });
  }
});
