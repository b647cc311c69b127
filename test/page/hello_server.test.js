'use strict';
// examples/hello without a browser: what its server refuses, and how it starts and stops.

const assert = require('node:assert');
const { run, startHello } = require('./hello_cluster');

describe('examples/hello as a server', () => {
  let cluster;
  let url;

  before(async () => { ({ cluster, url } = await startHello()); });
  after(() => cluster?.stop());

  const post = (name, body, type = 'application/json') =>
    fetch(new URL(name, url), { method: 'POST', headers: { 'content-type': type }, body });

  const REFUSED = [
    ['an unknown method', 'send', { method: 'constructor', text: 'x' }, /^Unknown method; it is one of broadcast, /],
    ['no text', 'send', { method: 'broadcast' }, /^The text is missing/],
    ['a text that is not one', 'send', { method: 'broadcast', text: ['x'] }, /^The text is missing/],
    ['a text that is too long', 'send', { method: 'broadcast', text: 'x'.repeat(201) }, /^The text is too long; the limit is 200/],
    ['a foreign receiver', 'send', { method: 'sendTo', pid: process.pid, text: 'x' }, /^pid: no process of this cluster/],
    ['a receiver that is not a pid', 'send', { method: 'sendTo', pid: '1', text: 'x' }, /^pid: no process of this cluster/],
    ['a foreign sender', 'send', { method: 'broadcast', from: process.pid, text: 'x' }, /^from: no process of this cluster/],
    ['a foreign victim', 'crash', { pid: process.pid }, /^pid: no worker of this cluster/],
    ['no victim', 'crash', {}, /^pid: no worker of this cluster/],
    ['a list', 'send', [], /^Send a JSON object/],
    ['null', 'kill-agent', null, /^Send a JSON object/],
    ['too much', 'send', { text: 'x'.repeat(5000) }, /^The request is too long; the limit is 4096 bytes/],
  ];
  for (const [what, name, body, reason] of REFUSED) {
    it(`refuses ${what} with 400 and the reason`, async () => {
      const response = await post(name, JSON.stringify(body));
      assert.strictEqual(response.status, 400);
      assert.match(await response.text(), reason);
    });
  }

  it('refuses what is not JSON, and what does not say that it is', async () => {
    for (const [body, type] of [['{"method":', 'application/json'], ['{}', 'text/plain']]) {
      const response = await post('send', body, type);
      assert.strictEqual(response.status, 400);
      assert.match(await response.text(), /JSON/);
    }
  });

  it('knows its paths and their methods', async () => {
    assert.strictEqual((await fetch(new URL('nothing', url))).status, 404);
    assert.strictEqual((await fetch(new URL('crash', url))).status, 405);
    assert.strictEqual((await post('whoami', '{}')).status, 405);
  });

  it('says in one line that the port is taken, and ends with code 1', async () => {
    const { port } = new URL(url);
    const second = run({ PORT: port });
    const { code } = await second.exit();
    assert.strictEqual(code, 1);
    assert.match(second.stdout + second.stderr, new RegExp(`^Port ${port} is taken by another process; [^\\n]*\\n$`));
  });

  it('says in one line that PORT is not a port', async () => {
    const second = run({ PORT: '80x' });
    const { code } = await second.exit();
    assert.strictEqual(code, 1);
    assert.match(second.stdout + second.stderr, /^PORT must be a whole number from 1 to 65535, but it is "80x"\.\n$/);
  });

  it('leaves nobody behind when it is stopped, open pages or not', async () => {
    const watching = await fetch(new URL('events', url));
    const { workers } = await firstEvent(watching);
    assert.deepStrictEqual(workers.map(worker => worker.pid).sort(), cluster.appPids().sort());
    assert.deepStrictEqual(await cluster.stop(), { code: 0, signal: null });
  });
});

/** The first event of the stream; the stream stays open. */
async function firstEvent(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { value } = await reader.read();
    text += decoder.decode(value, { stream: true });
    const found = /^data: (.*)\n\n/m.exec(text);
    if (found) return JSON.parse(found[1]);
  }
}
