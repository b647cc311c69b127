'use strict';
// The app worker's script in a real process: where it listens, what it tells, and how it fails and leaves.

const assert = require('node:assert');
const net = require('node:net');
const path = require('node:path');
const { forkApp, destroyAll } = require('./one_worker');
const { embedded, custom, tree, removeAll } = require('./frameworks');
const { freePort } = require('../helpers/free_port');
const { get } = require('../helpers/http_client');

const ASKED = { code: 0, signal: null };

describe('the app worker\'s script', () => {
  afterEach(destroyAll);
  after(removeAll);

  it('serves an app, tells its port before, and leaves on SIGTERM with code 0', async () => {
    const app = forkApp(embedded({
      'app.js': `module.exports = app => {
        app.on('server', server => process.send({ action: 'server', data: server.listening }));
        app.handle = (req, res) => res.end('served');
        app.beforeClose(() => console.log('hook ran'));
      };`,
    }));
    const { port } = await app.listening();
    assert.strictEqual((await get(port)).body, 'served');
    assert.deepStrictEqual(app.messages.map(({ action, data }) => [action, data]),
      [['realport', { port: 0, protocol: 'http' }], ['server', false]]);
    app.child.kill('SIGTERM');
    assert.deepStrictEqual(await app.end(), ASKED);
    const texts = app.stdout.trim().split('\n').map(line => line.replace(/^.* INFO \d+ /, ''));
    assert.deepStrictEqual(texts, [
      '[app_worker] receive signal SIGTERM, exiting with code:0',
      'hook ran',
      '[app_worker] beforeExit success',
      '[app_worker] exit with code:0',
    ]);
    assert.strictEqual(app.stderr, '');
  });

  it('leaves at once with code 0 and without close hooks when the master is gone', async () => {
    const app = forkApp(embedded({ 'app.js': 'module.exports = app => app.beforeClose(() => console.log("hook ran"));' }));
    await app.listening();
    app.child.disconnect();
    assert.deepStrictEqual(await app.end(), ASKED);
    assert.match(app.stderr, /\[app_worker\] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false/);
    assert.doesNotMatch(app.stdout, /hook ran/);
  });

  describe('the port', () => {
    it('of the options wins, and is written into the app\'s options', async () => {
      const port = await freePort();
      const app = forkApp(custom({ answer: 'res.end(String(this._options.port))' }, { port }));
      assert.strictEqual((await app.listening()).port, port);
      assert.strictEqual((await get(port)).body, String(port));
      assert.deepStrictEqual(app.messages, [{ to: 'master', action: 'realport', data: { port, protocol: 'http' } }]);
    });

    it('of the config counts where the app clears the option while it is constructed (egg 2 and 3)', async () => {
      const [given, configured] = [await freePort(), await freePort()];
      const construct = `this._options.port = null; this.config.cluster.listen.port = ${configured};`;
      const app = forkApp(custom({ construct }, { port: given }));
      assert.strictEqual((await app.listening()).port, configured);
    });

    it('is read right after construction by egg 2 and 3, and told before the app is ready', async () => {
      const [early, late] = [await freePort(), await freePort()];
      const construct = `
        this.config.cluster.listen.port = ${early};
        this.ready = fn => setImmediate(() => { process.send({ action: 'ready' }); this.config.cluster.listen.port = ${late}; fn(); });`;
      const app = forkApp(custom({ construct }));
      assert.strictEqual((await app.listening()).port, early);
      assert.deepStrictEqual(app.messages.map(({ action }) => action), ['realport', 'ready']);
    });

    it('is read when the app is ready by egg 4, and told then', async () => {
      const late = await freePort();
      const construct = `
        this.options = { ...options };
        this.config = {};
        this.ready = fn => setImmediate(() => {
          process.send({ action: 'ready' });
          this.config = { cluster: { listen: { port: ${late} } } };
          fn();
        });`;
      const app = forkApp(custom({ construct, answer: 'res.end(String(this.options.port))' }, { flavour: 3 }));
      assert.strictEqual((await app.listening()).port, late);
      assert.strictEqual((await get(late)).body, String(late));
      assert.deepStrictEqual(app.messages[1],
        { to: 'master', action: 'realport', data: { port: late, protocol: 'http' }, senderWorkerId: String(app.pid) });
    });

    for (const [flavour, label] of [[2, () => 'app_worker'], [3, pid => `app_worker:${pid}`]]) {
      it(`that is none is said, flavour ${flavour}`, async () => {
        const app = forkApp(custom({ construct: 'this.config.cluster.listen.port = null;' }, { flavour }));
        assert.deepStrictEqual(await app.end(), ASKED);
        assert.ok(app.stderr.includes(`[${label(app.pid)}] port should be number, but got null(object)`), app.stderr);
      });
    }

    it('that is taken is said in the words of the primary', async () => {
      const taken = net.createServer();
      await new Promise(resolve => taken.listen(0, resolve));
      const { port } = taken.address();
      try {
        const app = forkApp(custom({ close: 'console.log("hook ran")' }, { port }));
        assert.deepStrictEqual(await app.end(), ASKED);
        assert.ok(app.stderr.includes(`[app_worker] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE`), app.stderr);
        assert.match(app.stdout, /hook ran/);
      } finally {
        taken.close();
      }
    });
  });

  it('listens on the hostname of the config alone', async () => {
    const app = forkApp(custom({ construct: 'this.config.cluster.listen.hostname = "127.0.0.1";' }));
    const { port, address } = await app.listening();
    assert.strictEqual(address, '127.0.0.1');
    await assert.rejects(get({ host: '127.0.0.2', port }), { code: 'ECONNREFUSED' });
  });

  it('listens on the unix socket of the config', async () => {
    const socketPath = path.join(tree({}), 'app.sock');
    const app = forkApp(custom({ construct: `this.config.cluster.listen = { path: ${JSON.stringify(socketPath)} };` }));
    await app.listening();
    assert.strictEqual((await get({ socketPath })).body, 'served');
  });

  it('serves a debug port beside the real one', async () => {
    const [port, debugPort] = [await freePort(), await freePort()];
    const app = forkApp(custom({}, { port, debugPort }));
    await app.for(() => app.address?.port === debugPort, 'the debug port');
    assert.strictEqual((await get(port)).body, 'served');
    assert.strictEqual((await get(debugPort)).body, 'served');
  });

  it('goes on without a debug port that is taken', async () => {
    const taken = net.createServer();
    await new Promise(resolve => taken.listen(0, resolve));
    try {
      const app = forkApp(custom({}, { debugPort: taken.address().port }));
      const { port } = await app.listening();
      await app.output('[app_worker] debug port server got error');
      assert.strictEqual((await get(port)).body, 'served');
    } finally {
      taken.close();
    }
  });

  describe('failing', () => {
    it('dies with code 1 of a constructor that throws, and logs it', async () => {
      for (const kind of [{ flavour: 2 }, { flavour: 3 }, { esm: true }]) {
        const app = forkApp(custom({ construct: 'throw new Error("no app");' }, kind));
        assert.deepStrictEqual(await app.end(), { code: 1, signal: null });
        assert.match(app.stderr, /ERROR \d+ nodejs\.Error: no app/);
      }
    });

    it('dies with code 1 of a framework that cannot be loaded', async () => {
      for (const kind of [{ flavour: 2 }, { flavour: 3 }, { esm: true }]) {
        const app = forkApp(custom({ imports: 'throw new Error("broken framework");' }, kind));
        assert.deepStrictEqual(await app.end(), { code: 1, signal: null });
        assert.match(app.stderr, /broken framework/);
      }
    });

    it('logs and leaves when the app is ready with an error', async () => {
      const app = forkApp(custom({ construct: 'this.startError = new Error("no start");', close: 'console.log("hook ran")' }));
      assert.deepStrictEqual(await app.end(), ASKED);
      assert.match(app.stderr, /nodejs\.Error: no start[^]*\[app_worker\] start error, exiting with code:1/);
      assert.match(app.stdout, /hook ran/);
    });

    it('logs and leaves when the app says startTimeout', async () => {
      const app = forkApp(custom({ construct: 'this.ready = () => {}; setImmediate(() => this.emit("startTimeout"));' }));
      assert.deepStrictEqual(await app.end(), ASKED);
      assert.match(app.stderr, /\[app_worker\] start timeout, exiting with code:1/);
    });

    it('takes its listener away when the app is ready: a later startTimeout is the app\'s own affair', async () => {
      const app = forkApp(custom({ construct: 'this.on("server", () => this.emit("startTimeout"));' }));
      const { port } = await app.listening();
      assert.strictEqual((await get(port)).body, 'served');
    });

    it('logs and leaves when app.callback() throws', async () => {
      const app = forkApp(custom({ construct: 'this.callback = () => { throw new Error("no callback"); };' }));
      assert.deepStrictEqual(await app.end(), ASKED);
      assert.match(app.stderr, /nodejs\.Error: no callback[^]*\[app_worker\] start error, exiting with code:1/);
    });
  });

  describe('an uncaught exception on the embedded framework', () => {
    it('drains the worker: what is under way is answered, the primary is told, code 0', async () => {
      const app = forkApp(embedded({
        'app.js': `module.exports = app => {
          app.handle = (req, res) => {
            app.messenger.once('answer', () => res.end('answered'));
            app.messenger.send('asked', 1, 'master');
            setImmediate(() => { throw new Error('nobody catches me'); });
            process.once('disconnect', () => res.end('answered late'));
          };
        };`,
      }));
      const { port } = await app.listening();
      const answer = get(port);
      await app.message('graceful:disconnect');
      assert.strictEqual((await answer).body, 'answered late');
      assert.deepStrictEqual(await app.end(), ASKED);
      assert.strictEqual(app.handle.exitedAfterDisconnect, true);
      assert.ok(app.stderr.includes(`[graceful:worker:${app.pid}:uncaughtException] throw error 1 times`), app.stderr);
      assert.match(app.stderr, /ERROR \d+ nodejs\.Error: nobody catches me/);
      assert.doesNotMatch(app.stderr, /receive disconnect event/);
    });
  });
});
