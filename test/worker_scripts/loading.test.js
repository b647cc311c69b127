'use strict';
// How the app's own code comes into a worker: preloaded modules, CommonJS and ES modules, in which order and in which tick.

const assert = require('node:assert');
const { forkAgent, forkApp, destroyAll } = require('./one_worker');
const { embedded, custom, removeAll } = require('./frameworks');
const { get } = require('../helpers/http_client');

const TELL = { imports: '(globalThis.order ??= []).push("framework");', construct: 'process.send({ action: "order", data: order });' };
const entry = name => `(globalThis.order ??= []).push('${name}');`;

describe('loading', () => {
  afterEach(destroyAll);
  after(removeAll);

  it('takes the entries of require first, in order, from the app\'s folder', async () => {
    for (const flavour of [2, 3]) {
      const agent = forkAgent(custom(TELL, {
        flavour,
        require: ['first', './second.js'],
        files: { 'node_modules/first/index.js': entry('first'), 'second.js': entry('second') },
      }));
      assert.deepStrictEqual((await agent.message('order')).data, ['first', 'second', 'framework'], `flavour ${flavour}`);
    }
  });

  it('takes ES modules among them with egg 4, packages and files', async () => {
    const agent = forkAgent(custom(TELL, {
      flavour: 3,
      require: ['modules-only', './late.mjs', './plain.js'],
      files: {
        'node_modules/modules-only/package.json': { type: 'module', exports: { import: './entry.js' } },
        'node_modules/modules-only/entry.js': `await null; ${entry('package')}`,
        'late.mjs': `await null; ${entry('late')}`,
        'plain.js': entry('plain'),
      },
    }));
    assert.deepStrictEqual((await agent.message('order')).data, ['package', 'late', 'plain', 'framework']);
  });

  it('dies with code 1 of an entry that is not there, and of one that throws', async () => {
    for (const flavour of [2, 3]) {
      const missing = forkAgent(custom({}, { flavour, require: ['no-such-module'] }));
      assert.deepStrictEqual(await missing.end(), { code: 1, signal: null });
      assert.match(missing.stderr, /Cannot find module 'no-such-module'/);
      const broken = forkAgent(custom({}, { flavour, require: ['./broken.js'], files: { 'broken.js': 'require("gone-from-here");' } }));
      assert.deepStrictEqual(await broken.end(), { code: 1, signal: null });
      assert.match(broken.stderr, /Cannot find module 'gone-from-here'/);
    }
  });

  it('constructs a CommonJS framework in the tick of the script with egg 2 and 3', async () => {
    const imports = 'globalThis.ticked = false; process.nextTick(() => { globalThis.ticked = true; });';
    const agent = forkAgent(custom({ imports, construct: 'process.send({ action: "ticked", data: ticked });' }));
    assert.strictEqual((await agent.message('ticked')).data, false);
  });

  it('constructs with the very object that holds the port afterwards', async () => {
    const construct = 'const given = options; this.on("server", () => process.send({ action: "same", data: [given === this.options, given.port] }));';
    const app = forkApp(custom({ construct }));
    assert.deepStrictEqual((await app.message('same')).data, [true, 0]);
  });

  it('imports a framework that is an ES module', async () => {
    for (const flavour of [2, 3]) {
      const options = custom({}, { flavour, esm: true });
      const agent = forkAgent(options);
      const app = forkApp(options);
      await agent.message('agent-start');
      assert.strictEqual((await get((await app.listening()).port)).body, 'served');
    }
  });

  it('runs an app and an agent that are ES modules on the embedded framework, config included', async () => {
    const options = embedded({
      'package.json': { name: 'esm-app', type: 'module' },
      'config/config.default.js': 'export default { cluster: { listen: { port: 0 } }, word: "default" };',
      'config/config.prod.js': 'export const word = "prod";',
      'app.js': 'await null; export default app => { app.handle = (req, res) => res.end(`esm ${app.config.word}`); };',
      'agent.js': 'export default class { constructor(agent) { this.agent = agent; } async willReady() { this.agent.messenger.send("will", this.agent.config.word, "master"); } }',
    }, { env: 'prod' });
    const agent = forkAgent(options);
    const app = forkApp(options);
    assert.strictEqual((await agent.message('will')).data, 'prod');
    await agent.message('agent-start');
    assert.strictEqual((await get((await app.listening()).port)).body, 'esm prod');
  });

  it('says when an ES module of the embedded framework\'s app is broken', async () => {
    const app = forkApp(embedded({ 'app.mjs': 'throw new Error("broken module");' }));
    assert.deepStrictEqual(await app.end(), { code: 0, signal: null });
    assert.match(app.stderr, /nodejs\.Error: broken module[^]*\[app_worker\] start error, exiting with code:1/);
  });

  it('keeps the messages that come before the app listens', async () => {
    // An ES module takes several ticks to load; what arrives meanwhile must reach the framework's own messenger.
    const construct = 'process.on("message", message => { if (message.action === "early") process.send({ action: "got early" }); });';
    const agent = forkAgent(custom({ construct }, { flavour: 3, esm: true }));
    agent.send({ action: 'early' });
    await agent.message('got early');
  });
});
