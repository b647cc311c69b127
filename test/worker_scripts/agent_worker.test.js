'use strict';
// The agent's script in a real process: ready, failing, leaving.

const assert = require('node:assert');
const { forkAgent, destroyAll } = require('./one_worker');
const { ROOT, embedded, custom, removeAll } = require('./frameworks');

describe('the agent\'s script', () => {
  afterEach(destroyAll);
  after(removeAll);

  it('says agent-start once the agent is ready, and nothing else', async () => {
    const agent = forkAgent(embedded({
      'agent.js': 'module.exports = agent => agent.beforeStart(async () => { process.send({ action: "before" }); });',
    }));
    await agent.message('agent-start');
    assert.deepStrictEqual(agent.messages, [{ action: 'before' }, { action: 'agent-start', to: 'master' }]);
  });

  it('tells its own pid with the message where it stands in for egg 4\'s package', async () => {
    const agent = forkAgent(custom({}, { flavour: 3 }));
    assert.deepStrictEqual(await agent.message('agent-start'),
      { action: 'agent-start', to: 'master', senderWorkerId: String(agent.pid) });
  });

  it('leaves on SIGTERM with code 0 after the close hooks', async () => {
    const agent = forkAgent(embedded({
      'agent.js': 'module.exports = agent => agent.beforeClose(() => console.log("hook ran"));',
    }));
    await agent.message('agent-start');
    agent.child.kill('SIGTERM');
    assert.deepStrictEqual(await agent.end(), { code: 0, signal: null });
    const texts = agent.stdout.trim().split('\n').map(line => line.replace(/^.* INFO \d+ /, ''));
    assert.deepStrictEqual(texts, [
      '[agent_worker] receive signal SIGTERM, exiting with code:0',
      'hook ran',
      '[agent_worker] beforeExit success',
      '[agent_worker] exit with code:0',
    ]);
    assert.strictEqual(agent.stderr, '');
  });

  it('leaves with code 110 after the close hooks when the master is gone', async () => {
    const agent = forkAgent(embedded({
      'agent.js': 'module.exports = agent => agent.beforeClose(() => console.log("hook ran"));',
    }));
    await agent.message('agent-start');
    agent.child.disconnect();
    assert.deepStrictEqual(await agent.end(), { code: 110, signal: null });
    assert.match(agent.stderr, /ERROR \d+ \[agent_worker\] receive disconnect event on child_process fork mode, exiting with code:110/);
    assert.match(agent.stderr, /ERROR \d+ \[agent_worker\] exit with code:110/);
    assert.match(agent.stdout, /hook ran/);
  });

  it('dies with code 1 of a constructor that throws, and logs it', async () => {
    const agent = forkAgent(custom({ construct: 'throw new Error("no agent");' }));
    assert.deepStrictEqual(await agent.end(), { code: 1, signal: null });
    assert.match(agent.stderr, /ERROR \d+ nodejs\.Error: no agent/);
  });

  it('dies with code 1 of a constructor that throws, even where somebody catches everything', async () => {
    const construct = `for (const event of ['uncaughtException', 'unhandledRejection', 'message']) process.on(event, () => {});
      throw new Error('no agent');`;
    for (const kind of [{ flavour: 2 }, { flavour: 3 }, { esm: true }]) {
      const agent = forkAgent(custom({ construct }, kind));
      assert.deepStrictEqual(await agent.end(), { code: 1, signal: null }, JSON.stringify(kind));
    }
  });

  for (const [how, construct] of [
    ['emits an error', 'setImmediate(() => this.emit("error", new Error("no start"))); this.ready = () => {};'],
    ['is ready with an error', 'this.startError = new Error("no start");'],
    ['does both', 'this.startError = new Error("no start"); setImmediate(() => this.emit("error", this.startError));'],
  ]) {
    it(`logs once and leaves when an agent ${how} while it starts`, async () => {
      const agent = forkAgent(custom({ construct, close: 'console.log("hook ran")' }));
      assert.deepStrictEqual(await agent.end(), { code: 0, signal: null });
      assert.strictEqual(agent.stderr.split('nodejs.Error: no start').length, 2);
      assert.match(agent.stderr, /ERROR \d+ \[agent_worker\] start error, exiting with code:1/);
      assert.match(agent.stdout, /hook ran/);
      assert.deepStrictEqual(agent.messages, []);
    });
  }

  it('takes its error listener away when the agent is ready', async () => {
    const construct = `
      const before = this.listenerCount('error');
      this.ready = fn => setImmediate(() => { fn(); process.send({ action: 'counts', data: [before, this.listenerCount('error')] }); });`;
    const agent = forkAgent(custom({ construct }));
    assert.deepStrictEqual((await agent.message('counts')).data, [0, 0]);
  });

  it('survives uncaught exceptions and unhandled rejections on the embedded framework', async () => {
    const agent = forkAgent(embedded({
      'agent.js': `module.exports = agent => {
        agent.messenger.on('throw', () => setImmediate(() => { throw new Error('thrown late'); }));
        agent.messenger.on('reject', () => { Promise.reject(new Error('rejected late')); });
        agent.messenger.on('ping', () => agent.messenger.send('pong', 1, 'master'));
      };`,
    }));
    await agent.message('agent-start');
    agent.send({ action: 'throw' });
    agent.send({ action: 'reject' });
    await agent.output('nodejs.unhandledExceptionError: thrown late');
    await agent.output('nodejs.unhandledRejectionError: rejected late');
    agent.send({ action: 'ping' });
    assert.deepStrictEqual(await agent.message('pong'), { action: 'pong', data: 1, to: 'master' });
  });

  it('knows the apps from the start, though nobody listened when they were told', async () => {
    const imports = `const clutch = require(${JSON.stringify(ROOT)});
      process.on('message', message => { if (message === 'go') clutch.messenger.sendRandom('hello'); });`;
    const agent = forkAgent(custom({ imports }));
    await agent.message('agent-start');
    agent.send({ action: 'egg-pids', data: [4711] });
    agent.send('go');
    assert.deepStrictEqual(await agent.message('hello'), { action: 'hello', receiverPid: '4711' });
  });
});
