'use strict';
// A worker writes to its channel what Node would never write. It is dropped with a line that says what was wrong, and replaced;
// the master and everybody else serve on, which requests and messages show while it happens.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const { Traffic } = require('../helpers/traffic');

const WORKERS = 4;
const query = fields => `${JSON.stringify({ cmd: 'NODE_CLUSTER', act: 'queryServer', seq: 900, index: 0, data: null, ...fields })}\n`;

const DROPPED = [
  ['that is not JSON', { text: 'Segmentation fault\n' }, /not JSON: expected value at line 1 column 1/],
  ['that is cut off in the middle', { text: '{"action":"half\n' }, /not JSON: .* at line 1 column/],
  ['that is two messages without a newline between them', { text: '{"action":"a"}{"action":"b"}\n' }, /not JSON: trailing characters/],
  ['that is not UTF-8', { hex: '2261ff2262220a' }, /broken frame: a line is not UTF-8 from byte 2 on/],
  ['that holds the raw bytes of half a surrogate pair', { hex: `22${'eda080'}220a` }, /broken frame: a line is not UTF-8 from byte 1 on/],
  ['of 100 MB without a newline', { fill: 100_000_000 }, /broken frame: a line is longer than 67108864 bytes/],
  ['of 100 MB', { fill: 100_000_000, text: '{"action":"long"}\n' }, /broken frame: a line is longer than 67108864 bytes/],
  ['that is half a message of Node\'s own', { text: '{"cmd":"NODE_CLUSTER","act":\n' }, /not JSON: /],
  ['that wants to listen on a port that is text', { text: query({ port: 'x' }) }, /queryServer: port should be a number or null, not "x"/],
  ['that wants to listen on an address that is a list', { text: query({ address: ['::'], port: 0 }) },
    /queryServer: address should be a string or null, not \["::"\]/],
  ['that wants to listen without a number to answer to', { text: '{"cmd":"NODE_CLUSTER","act":"queryServer","port":0}\n' },
    /queryServer: seq should be a number, not missing/],
  ['that wants to listen on an address of no kind', { text: query({ addressType: 'tcp7', port: 0 }) },
    /queryServer: addressType should be 4, 6, -1, "udp4", "udp6" or null, not "tcp7"/],
  ['that listens on a port that is an object', { text: '{"cmd":"NODE_CLUSTER","act":"listening","port":{}}\n' },
    /listening: port should be a number or null, not \{\}/],
  ['that closes a socket by a number', { text: '{"cmd":"NODE_CLUSTER","act":"close","key":7}\n' }, /close: key should be a string, not 7/],
  ['that answers a hand-over by a word', { text: '{"cmd":"NODE_CLUSTER","ack":"yes","accepted":true}\n' },
    /reply: ack should be a number, not "yes"/],
  ['that announces a handle without a message', { text: '{"cmd":"NODE_HANDLE","type":"net.Server"}\n' },
    /NODE_HANDLE: msg should be a value, not missing/],
];

const IGNORED = [
  ['null', /a message from app was ignored: a message must be an object or a string, found null/],
  ['42', /found a number/],
  ['true', /found a boolean/],
  ['[{"action":"a"}]', /found an array/],
  ['{}', null],
  ['""', null],
  ['{"action":7,"to":[],"receiverPid":{}}', null],
  ['{"action":"\\ud800","data":{"\\udfff":"\\ud83d"}}', null],
  [`{"action":"deep","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, null],
  [`{"action":"deep","to":"parent","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, null],
  [`{"action":"deep","to":"master","data":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`, null],
  ['{"cmd":"NODE_CLUSTER","act":"selfDestruct","seq":1}', null],
  ['{"cmd":"NODE_CLUSTER"}', null],
  ['{"cmd":"NODE_CLUSTER","act":"close","key":"no:such:key"}', null],
  ['{"cmd":"NODE_CLUSTER","ack":4711,"accepted":true}', null],
  ['{"cmd":"NODE_CLUSTER","ack":4711,"accepted":false}', null],
  ['{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":1,"addressType":4}', null],
  ['{"cmd":"NODE_HANDLE_ACK"}', null],
  ['{"cmd":"NODE_HANDLE_NACK"}', null],
  ['{"cmd":"NODE_INVENTED_LATER","to":"agent"}', null],
  [query({ address: 'no address', port: 0, addressType: 4 }).trim(), null],
  [query({ address: null, port: 70000, addressType: 4 }).trim(), null],
  [query({ address: null, port: null, addressType: null, fd: 99999 }).trim(), null],
];

/** One request may have been on its way to each victim: when its channel is broken nobody can tell whether it was taken. */
async function everybodyElseServed(cluster, traffic, victims, { onTheWay = victims.length } = {}) {
  await traffic.stop();
  const lost = traffic.unexcused(cluster, victims);
  assert.ok(lost.length <= onTheWay && lost.every(({ error }) => /^(ECONNRESET|CUT)/.test(error)), JSON.stringify(lost));
  assert.ok(traffic.answered > 0);
}

describe('junk on the channel of a worker', () => {
  let cluster;
  let port;
  let traffic;

  before(async () => {
    cluster = await startFolder('writes_junk', { workers: WORKERS });
    ({ port } = await cluster.ready());
  });
  after(() => cluster.stop());

  beforeEach(() => { traffic = new Traffic(port, { paths: ['/', '/round'] }); });

  // The one that has served longest: its slot has had time to forget.
  let turn = 0;
  const nextVictim = () => startedPids(cluster)[turn++];

  for (const [what, argument, reason] of DROPPED) {
    it(`drops the one that sends a line ${what}, and fills its place`, async () => {
      const victim = nextVictim();
      const before = startedPids(cluster).length;
      tell(cluster, victim, 'junk', argument);
      const [line] = await cluster.output(new RegExp(`app_worker#\\d+:${victim} is dropped: .*`));
      assert.match(line, reason);
      await started(cluster, before);
      await everybodyElseServed(cluster, traffic, [victim]);
    });
  }

  it('drops the one that sends a descriptor with a frame that says nothing of it, and fills its place', async () => {
    const victim = nextVictim();
    const before = startedPids(cluster).length;
    tell(cluster, victim, 'junkWithDescriptor', { text: '{"action":"look what I have"}\n' });
    await cluster.output(new RegExp(`app_worker#\\d+:${victim} is dropped: a descriptor came with a frame that is no NODE_HANDLE`));
    await started(cluster, before);
    await everybodyElseServed(cluster, traffic, [victim]);
  });

  it('takes half a line before an exit for nothing, and fills the place', async () => {
    const victim = nextVictim();
    const before = startedPids(cluster).length;
    tell(cluster, victim, 'junk', { text: '{"action":"good', exit: true });
    await cluster.output(new RegExp(`app_worker#\\d+:${victim} died \\(code: 0, signal: null`));
    await started(cluster, before);
    // It took leave in good order: what it had not taken is dealt again.
    await everybodyElseServed(cluster, traffic, [victim], { onTheWay: 0 });
    assert.doesNotMatch(cluster.stderr, new RegExp(`${victim} is dropped`));
  });
});

describe('odd things on the channel of a worker that can be passed over', () => {
  let cluster;
  let port;

  before(async () => {
    cluster = await startFolder('writes_junk', { workers: 2 });
    ({ port } = await cluster.ready());
  });
  after(() => cluster.stop());

  for (const [text, line] of IGNORED) {
    it(`keeps the one that sends ${text.length > 100 ? `${text.slice(0, 60)}…` : text}`, async () => {
      const [odd, other] = startedPids(cluster);
      const traffic = new Traffic(port, { clients: 1, paths: ['/round'] });
      const offset = cluster.stdout.length;
      await order(cluster, odd, 'junk', { text: `${text}\n` });
      await order(cluster, odd, 'round');
      await order(cluster, other, 'round');
      if (line) await cluster.waitFor(() => line.test(cluster.stdout.slice(offset)), { what: String(line) });
      await traffic.stop();
      assert.deepEqual(traffic.failures, []);
    });
  }

  it('keeps the one that sends 100000 tiny frames at once', async () => {
    const [odd, other] = startedPids(cluster);
    const traffic = new Traffic(port, { paths: ['/', '/round'] });
    await order(cluster, odd, 'junk', { text: '{"to":"agent"}\n', times: 100_000 });
    await order(cluster, odd, 'round');
    await order(cluster, other, 'round');
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
  });

  it('waits for the end of half a line beside everybody else, and judges the line when it has come', async () => {
    const [half] = startedPids(cluster);
    // Cut in the middle of a character, too.
    const frame = Buffer.from(JSON.stringify({ action: 'whole', to: 'parent', data: 'naïve' }));
    const cut = frame.indexOf(0xaf);
    const traffic = new Traffic(port);
    tell(cluster, half, 'junk', { hex: frame.subarray(0, cut).toString('hex'), stop: true });
    await cluster.waitFor(() => traffic.answered > 50, { what: 'fifty answers beside half a line' });
    assert.deepEqual(traffic.failures, []);
    assert.equal(cluster.stderr, '');
    // What Node says next, be it the answer to the order, goes on where the junk ended.
    process.kill(half, 'SIGCONT');
    await cluster.output(new RegExp(`${half} is dropped: broken frame: a line is not UTF-8 from byte ${cut - 1} on`));
    await started(cluster, 2);
    await everybodyElseServed(cluster, traffic, [half]);
  });
});
