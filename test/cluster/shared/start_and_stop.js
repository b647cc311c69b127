'use strict';

// One cluster from its first line to its last, as production runs it.

const assert = require('node:assert/strict');
const { assertInOrder, countOf } = require('../../helpers/lines');
const { ask, told } = require('../../helpers/probe');

module.exports = subject => describe('from the start to the stop', () => {
  const isV3 = subject.layerVersion === 3;
  let cluster;
  let agent;
  let apps;

  before(async () => {
    cluster = await subject.start({ title: 'a title', foo: true }, {
      env: { NODE_ENV: 'production' },
      fault: { role: 'app', index: 1, how: 'hold' },
    });
    await told(cluster, 'probe-fault');
    const [, first] = await cluster.output(/app_worker#1:(\d+) started at/);
    const [, second] = await cluster.output(/app_worker#2:(\d+) start,/);
    agent = cluster.agentPid();
    apps = [Number(first), Number(second)];
  });
  after(() => cluster.stop());

  const everybody = () => [agent, ...apps];

  it('is not ready, and says so to nobody, while one app still loads', async () => {
    assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
    for (const pid of everybody()) assert.deepEqual(await ask(cluster, pid, 'received', 'egg-ready'), []);
    assert.ok(!cluster.messages.some(({ action }) => action === 'egg-ready'));
    assert.ok(!cluster.stdout.includes(`${subject.frameworkName} started on`));
  });

  it('tells the parent, the apps and the agent once everything is up', async () => {
    const { port } = cluster.options;
    await ask(cluster, apps[1], 'go');
    assert.deepEqual(await cluster.ready(), { port, address: `http://127.0.0.1:${port}`, protocol: 'http' });
    for (const pid of everybody()) {
      const [options, ...more] = await ask(cluster, pid, 'when', { action: 'egg-ready' });
      const { argv } = await ask(cluster, pid, 'facts');
      assert.deepEqual(options, JSON.parse(argv.at(-1)));
      assert.equal(options.workers, 2);
      assert.deepEqual(more, []);
    }
  });

  it('tells the agent and the apps of each other in the known order', async () => {
    const toAgent = await ask(cluster, agent, 'raw', 'egg-pids');
    assert.deepEqual(toAgent.map(({ data }) => data), [[apps[0]], apps]);
    assert.deepEqual(toAgent[0], { action: 'egg-pids', data: [apps[0]], from: 'master', to: 'agent' });
    for (const pid of apps) {
      const toApp = await ask(cluster, pid, 'raw', 'egg-pids');
      const wanted = { action: 'egg-pids', data: [agent], from: 'master', to: 'app', receiverPid: String(pid), receiverWorkerId: String(pid) };
      assert.deepEqual(toApp, isV3 ? [wanted] : []);
    }
  });

  it('writes the lines of a start that tools look for, and nothing to stderr', () => {
    const { port } = cluster.options;
    const name = subject.frameworkName;
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`;
    const line = text => new RegExp(`^${time} INFO ${cluster.pid} ${text}$`, 'm');
    assertInOrder(cluster.stdout, [
      line(String.raw`\[master\] =+ ${name} start ${isV3 ? '🥚🥚🥚🥚 ' : ''}=+`),
      line(String.raw`\[master\] node version ${process.version}`),
      line(String.raw`\[master\] ${name} version \d+\.\d+\.\d+.*`),
      line(String.raw`\[master\] start with options:`),
      /^ {2}"foo": true/m,
      line(String.raw`\[master\] start with env: isProduction: true, EGG_SERVER_ENV: prod, NODE_ENV: production`),
      line(String.raw`\[master\] agent_worker#1:${agent} start with clusterPort:\d+`),
      line(String.raw`\[master\] agent_worker#1:${agent} started \(\d+ms\)`),
      line(String.raw`\[master\] start appWorker with args \[.*\] \(process\)`),
      line(String.raw`\[master\] app_worker#1:${apps[0]} start, state: none, current workers: \["1"(,"2")?\]`),
      ...isV3 ? [] : [`app_worker#1:${apps[0]} listening on {"addressType":4,"address":null,"port":${port}}\n`],
      line(String.raw`\[master\] app_worker#1:${apps[0]} started at ${port}, remain 1 \(\d+ms\)`),
      line(String.raw`\[master\] app_worker#2:${apps[1]} started at ${port}, remain 0 \(\d+ms\)`),
      line(String.raw`\[master\] ${name} started on http://127.0.0.1:${port} \(\d+ms\)`),
    ]);
    assert.match(cluster.stdout, line(String.raw`\[master\] app_worker#2:${apps[1]} start, state: none, current workers: \["1","2"\]`));
    assert.equal(cluster.stderr, '');
  });

  it('shows title and baseDir in the command lines of the workers', () => {
    for (const { argv } of cluster.workers()) {
      assert.ok(argv.at(-1).includes('"title":"a title"'), argv.at(-1));
      assert.ok(argv.at(-1).includes(`"baseDir":"${cluster.options.baseDir}"`), argv.at(-1));
    }
  });

  it('exits with 0 at SIGTERM when the apps and then the agent have closed, and leaves nothing', async () => {
    const before = cluster.stdout.length;
    assert.deepEqual(await cluster.stop('SIGTERM'), { code: 0, signal: null });
    const said = cluster.stdout.slice(before);
    assertInOrder(said, [
      '[master] master is killed by signal SIGTERM, closing\n',
      /\[master\] system memory: total \d+, free \d+\n/,
      /\[master\] process info: heap_limit \d+, heap_used \d+\n/,
      '[master] send kill SIGTERM to app workers, will exit with code:0 after 5000ms\n',
      '[master] wait 5000ms\n',
      '[master] send kill SIGTERM to agent worker, will exit with code:0 after 5000ms\n',
      '[master] wait 5000ms\n',
      '[master] kill agent worker with signal SIGTERM\n',
      '[agent_worker] receive signal SIGTERM, exiting with code:0\n',
      `[probe] agent ${agent} closes\n`,
      '[agent_worker] beforeExit success\n',
      '[agent_worker] exit with code:0\n',
      '[master] close done, exiting with code:0\n',
      '[master] exit with code:0\n',
    ]);
    const before2 = said.slice(0, said.indexOf('to agent worker'));
    for (const pid of apps) {
      assertInOrder(before2, [
        ` ${pid} [app_worker] receive signal SIGTERM, exiting with code:0\n`,
        `[probe] app ${pid} closes\n`,
        ` ${pid} [app_worker] beforeExit success\n`,
        ` ${pid} [app_worker] exit with code:0\n`,
      ]);
      assertInOrder(before2, [
        new RegExp(String.raw`\[cfork:master:${cluster.pid}\] worker:${pid} disconnect \(exitedAfterDisconnect: (undefined|false), `
          + String.raw`state: disconnected, isDead: (true|false), worker.disableRefork: true`),
        `don't fork, because worker:${pid} will be kill soon\n`,
        new RegExp(String.raw`worker:${pid} exit \(code: 0, exitedAfterDisconnect: (undefined|false), state: dead, isDead: true, `
          + String.raw`isExpected: false, worker.disableRefork: true`),
      ]);
    }
    assert.equal(countOf(said, 'disconnect event'), 0);
    assert.equal(cluster.stderr, '');
  });
});
