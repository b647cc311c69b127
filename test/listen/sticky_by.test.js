'use strict';
// Clients that are known again by what they say: a header, a cookie, or what a proxy says of them. All of them come from one address,
// where a test does not say otherwise.

const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { Subject } = require('../cluster/shared/subject');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { connections } = require('../helpers/resources');
const { until } = require('../helpers/waiting');

const embedded = new Subject('embedded');
const WORKERS = 4;
const NUMBERS = Array.from({ length: 100 }, (_, number) => number);
// More than may wait to be known.
const MANY = 300;
const WATCHDOG_MS = 40000;
const PROXY_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };

async function start(sticky, options = {}, env = {}) {
  const cluster = await startFolder('writes_junk', { workers: WORKERS, sticky, ...options }, { env });
  const { port } = await cluster.ready();
  return { cluster, port, pids: startedPids(cluster) };
}

/** A connection, and the answer that comes on it: it says what it is told to. */
class Client {
  constructor(port, { localAddress, before = '', secure = false } = {}) {
    this.socket = net.connect({ port, host: '127.0.0.1', localAddress });
    this.socket.on('error', error => { this.error = error; });
    if (before) this.socket.write(before);
    this.stream = secure ? tls.connect({ socket: this.socket, rejectUnauthorized: false }) : this.socket;
    this.answer = this.read();
    this.answer.catch(() => {});
  }

  async read() {
    let text = '';
    const watchdog = setTimeout(() => this.stream.destroy(new Error('no answer')), WATCHDOG_MS);
    try {
      for await (const data of this.stream.setEncoding('utf8')) text += data;
    } finally {
      clearTimeout(watchdog);
    }
    return text;
  }

  async peer() {
    const text = await this.answer;
    assert.match(text, /^HTTP\/1\.1 200 /);
    return JSON.parse(text.split('\r\n\r\n')[1]);
  }
}

const request = (lines = []) => ['GET /peer HTTP/1.1', 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n');

/** Who answers: { pid, slot, remoteAddress … }. */
function ask(port, lines, options) {
  const client = new Client(port, options);
  client.stream.write(request(lines));
  return client.peer();
}

const addressOf = number => `192.0.2.${number + 1}`;

function proxyLine(number) {
  return `PROXY TCP4 ${addressOf(number)} 192.0.2.254 ${20000 + number} 80\r\n`;
}

/** Version 2, over IPv6, with a tail that says nothing. */
function proxyHeader(number) {
  const addresses = Buffer.alloc(36);
  addresses.set([0x20, 0x01, 0x0d, 0xb8], 0);
  addresses[15] = number + 1;
  addresses[31] = 1;
  addresses.writeUInt16BE(20000 + number, 32);
  const tail = Buffer.from([4, 0, 2, 0, 0]);
  const length = Buffer.from([0, addresses.length + tail.length]);
  return Buffer.concat([PROXY_V2, Buffer.from([0x21, 0x21]), length, addresses, tail]);
}

// By what a client is known, and how it shows that.
const KINDS = {
  'a header': { by: { header: 'X-Session-Id' }, show: number => [[`x-session-ID:   client ${number} `]] },
  'a cookie': { by: { cookie: 'sid' }, show: number => [[`COOKIE: a=b; sid=${number % 2 ? `"client ${number}"` : `client ${number}`}; sidx=1`]] },
  'a PROXY line': { by: 'proxy-protocol', show: number => [[], { before: proxyLine(number) }] },
  'a PROXY header of version 2': { by: 'proxy-protocol', show: number => [[], { before: proxyHeader(number) }] },
};

for (const [kind, { by, show }] of Object.entries(KINDS)) {
  describe(`a cluster that knows its clients by ${kind}`, () => {
    let cluster;
    let port;
    let pids;

    const homes = async () => (await Promise.all(NUMBERS.map(number => ask(port, ...show(number))))).map(({ pid }) => pid);

    before(async () => { ({ cluster, port, pids } = await start({ by })); });
    after(() => cluster.stop());

    it('keeps each of 100 with one worker, and a kill and a reload move only the clients of the slot', async () => {
      const home = await homes();
      assert.deepEqual(new Set(home), new Set(pids));
      const [victim] = pids;
      process.kill(victim, 'SIGSTOP');
      const waiting = NUMBERS.map(number => ask(port, ...show(number)));
      // The others are served although his clients wait.
      const others = NUMBERS.filter(number => home[number] !== victim);
      for (const number of others) assert.equal((await waiting[number]).pid, home[number]);
      process.kill(victim, 'SIGKILL');
      const successor = await started(cluster, WORKERS);
      for (const number of NUMBERS) {
        const { pid } = await waiting[number];
        if (home[number] === victim) assert.ok(pid !== victim && [...pids, successor].includes(pid));
      }
      assert.deepEqual(await homes(), home.map(pid => (pid === victim ? successor : pid)));
      const slots = (await Promise.all(NUMBERS.map(number => ask(port, ...show(number))))).map(({ slot }) => slot);
      cluster.send({ action: 'reload-worker' });
      const old = [successor, ...pids.slice(1)];
      for (const pid of old) await cluster.output(`worker:${pid} exit (code: 0`);
      const renewed = await Promise.all(NUMBERS.map(number => ask(port, ...show(number))));
      assert.deepEqual(renewed.map(({ slot }) => slot), slots);
      assert.ok(renewed.every(({ pid }) => !old.includes(pid)));
    });

    it('knows a client whose words come byte by byte', async () => {
      const [lines, { before = '' } = {}] = show(7);
      const { slot } = await ask(port, ...show(7));
      const client = new Client(port);
      client.socket.setNoDelay(true);
      for (const byte of Buffer.concat([Buffer.from(before), Buffer.from(request(lines))])) {
        await new Promise(resolve => client.socket.write(Buffer.from([byte]), resolve));
      }
      assert.equal((await client.peer()).slot, slot);
    });
  });
}

describe('what a client says', () => {
  let cluster;
  let port;
  const FROM = '127.0.0.9';
  const from = { localAddress: FROM };

  before(async () => { ({ cluster, port } = await start({ by: { cookie: 'sid' }, wait: '100ms' })); });
  after(() => cluster.stop());

  /** The worker of those who are known by this address alone. */
  const byAddress = async () => (await ask(port, [], from)).pid;

  it('if it is nothing that names a client, leaves the address', async () => {
    const pid = await byAddress();
    for (const lines of [['Cookie: sid'], ['Cookie: sid='], ['X-Cookie: sid=1'], [`X: ${'x'.repeat(15000)}`]]) {
      for (let turn = 0; turn < 3; turn++) assert.equal((await ask(port, lines, from)).pid, pid, lines[0].slice(0, 20));
    }
  });

  it('if it is too much, no HTTP or an end, goes to a worker of the address, whole', async () => {
    const answerTo = async bytes => {
      const client = new Client(port, from);
      client.socket.end(bytes);
      return (await client.answer).split('\r\n')[0];
    };
    assert.equal(await answerTo(`GET / HTTP/1.1\r\nX: ${'x'.repeat(40000)}`), 'HTTP/1.1 431 Request Header Fields Too Large');
    assert.equal(await answerTo('\0\0\0\0'), 'HTTP/1.1 400 Bad Request');
    assert.equal(await answerTo(''), '');
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
  });

  it('if it comes too late, is heard by the worker of the address, from its first byte on', async () => {
    const pid = await byAddress();
    const text = request(['Cookie: sid=1']);
    await until(() => connections(pid) === 0, 'the connection of before is closed');
    for (const begin of [0, 10]) {
      const client = new Client(port, from);
      client.socket.write(text.slice(0, begin));
      await new Promise(resolve => client.socket.once('connect', resolve));
      // Somebody holds it now: the master, and in the end the worker.
      await until(() => connections(pid) > 0, 'the worker has the connection');
      client.socket.write(text.slice(begin));
      assert.equal((await client.peer()).pid, pid);
      await until(() => connections(pid) === 0, 'the connection is closed');
    }
  });
});

describe('many clients that say nothing', () => {
  it('hold up nobody, are no more than a few hundred at the master, and are served when they speak', async () => {
    const { cluster, port } = await start({ by: { header: 'x-id' }, wait: '60s' }, { workers: 2 });
    const silent = Array.from({ length: MANY }, () => new Client(port));
    await Promise.all(silent.map(({ socket }) => new Promise(resolve => socket.once('connect', resolve))));
    const answers = await Promise.all(NUMBERS.map(number => ask(port, [`X-Id: ${number}`])));
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 2);
    // Two descriptors for each of those that wait; whoever is too many has gone on to a worker.
    await until(() => connections(cluster.pid) <= 2 * 256, 'the master has passed on the oldest');
    assert.ok(connections(cluster.pid) > 0);
    for (const { socket } of silent) socket.write(request(['X-Id: 5']));
    const late = await Promise.all(silent.map(client => client.peer()));
    const { pid } = await ask(port, ['X-Id: 5']);
    assert.ok(late.filter(answer => answer.pid === pid).length >= 256 - NUMBERS.length);
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
    // A stop waits for none of those.
    const open = Array.from({ length: 20 }, () => new Client(port));
    await Promise.all(open.map(({ socket }) => new Promise(resolve => socket.once('connect', resolve))));
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    await Promise.allSettled(open.map(client => client.answer));
  });
});

describe('an app behind a proxy that speaks the PROXY protocol', () => {
  async function assertSeen(port, options) {
    const v4 = await ask(port, [], { before: proxyLine(3), ...options });
    assert.deepEqual([v4.remoteAddress, v4.remotePort, v4.remoteFamily], ['192.0.2.4', 20003, 'IPv4']);
    const v6 = await ask(port, [], { before: proxyHeader(3), ...options });
    assert.deepEqual([v6.remoteAddress, v6.remotePort, v6.remoteFamily], ['2001:db8::4', 20003, 'IPv6']);
    // The proxy itself, and somebody who has come past it.
    for (const before of ['PROXY UNKNOWN\r\n', Buffer.concat([PROXY_V2, Buffer.from([0x20, 0, 0, 0])]), '']) {
      const { remoteAddress } = await ask(port, [], { before, ...options, localAddress: '127.0.0.5' });
      assert.match(remoteAddress, /^(::ffff:)?127\.0\.0\.5$/);
    }
  }

  it('sees the client', async () => {
    const { port } = await start({ by: 'proxy-protocol' }, { workers: 1 });
    await assertSeen(port);
  });

  it('sees the client where connections go by Node\'s channel', async () => {
    const { port } = await start({ by: 'proxy-protocol' }, { workers: 2 }, { EGG_CLUTCH_LANES: 'off' });
    await assertSeen(port);
  });

  it('sees the client over TLS', async () => {
    const { port } = await start({ by: 'proxy-protocol' }, { workers: 1, https });
    await assertSeen(port, { secure: true });
  });

  it('answers what is no header after all as what it is', async () => {
    const { port } = await start({ by: 'proxy-protocol' }, { workers: 1 });
    for (const before of ['PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n', Buffer.concat([PROXY_V2, Buffer.from([0x31, 0, 0, 0])])]) {
      const client = new Client(port, { before });
      client.socket.end();
      assert.match(await client.answer, /^HTTP\/1\.1 400 /);
    }
  });
});

describe('an app that speaks https by its config', () => {
  it('cannot be served by headers, and the start fails with a line that says so', async () => {
    const cluster = await embedded.start({ sticky: { by: { header: 'x-id' } }, workers: 1 }, { config: { cluster: { https } } });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    assert.match(cluster.stderr, /\[app_worker\] config https cannot be used with options\.sticky \{"by":\{"header":"x-id"\}\}/);
  });
});
