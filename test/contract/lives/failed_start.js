'use strict';

// Starts that fail, each for another reason: the master ends with code 1, says why, and forks nobody again.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { once } = require('node:events');
const { assertInOrder, countOf } = require('../../helpers/lines');
const { told } = require('../../helpers/probe');
const { runFolder } = require('../../helpers/run_folder');
const { scenario } = require('../contract');
const { toParent } = require('../life');
const { logged, workerLogged, loggedError, forkLine } = require('../log');

const AGENT_FORKED = ' start with clusterPort:';
const APP_FORKED = ' start, state: none,';

/** The death of the process with this number, and what follows from it until the end. */
function endsWith(cluster, role, number, died) {
  const name = `${role === 'agent' ? 'Agent' : 'App'}WorkerDiedError`;
  return [
    loggedError(cluster, name, String.raw`${role}_worker#${number}:${died}.*`),
    logged(cluster, String.raw`${role}_worker#${number}:\d+ start fail, exiting with code:1`, { level: 'ERROR' }),
    logged(cluster, 'exit with code:1', { level: 'ERROR' }),
  ];
}

/** The master's end, with nobody left, and nobody ever told that anything is ready. */
async function ended(cluster) {
  await cluster.exit();
  await cluster.assertNothingLeft();
  return cluster;
}

function assertFailed(cluster, role, number, { died = String.raw`\d+ died `, agents = 1, apps = 2 } = {}) {
  assert.deepEqual(cluster.ended, { code: 1, signal: null });
  assertInOrder(cluster.stderr, endsWith(cluster, role, number, died));
  assert.equal(countOf(cluster.stdout, AGENT_FORKED), agents, 'agents');
  assert.equal(countOf(cluster.stdout, APP_FORKED), apps, 'apps');
  assert.deepEqual(toParent(cluster, 'egg-ready'), []);
}

/** What the worker says of it, in order, and that it closes through its hooks. */
function assertSaid(cluster, role, texts) {
  assertInOrder(cluster.stderr, texts.map(text => workerLogged(text, { level: 'ERROR' })));
  assert.match(cluster.stdout, new RegExp(String.raw`\[probe\] ${role} \d+ closes`));
}

scenario('a start that fails with the agent', {
  async start(subject) {
    const pidFile = path.join(runFolder(), `of a failed start of ${subject.name}.pid`);
    const throwing = await ended(await subject.start({ pidFile }, { fault: { role: 'agent', how: 'throw' } }));
    const rejecting = await ended(await subject.start({}, { fault: { role: 'agent', how: 'reject' } }));
    // No folder can be made where a file is.
    const forkless = await ended(await subject.start({ pidFile: path.join(__filename, 'master.pid') }));
    const killed = await subject.start({}, { fault: { role: 'app', how: 'hang' } });
    await told(killed, 'probe-fault', { index: 1 });
    const agent = killed.agentPid();
    process.kill(agent, 'SIGKILL');
    return { throwing, rejecting, forkless, killed: await ended(killed), agent };
  },
}, line => {
  line('4.1.18', ({ throwing, rejecting }) => {
    assertFailed(throwing, 'agent', 1, { died: String.raw`\d+ died \(code: 1, signal: null\)`, apps: 0 });
    // Its orderly close is what ends it, with 0.
    assertFailed(rejecting, 'agent', 1, { died: String.raw`\d+ died \(code: 0, signal: null\)`, apps: 0 });
  });

  line('3.1.7', ({ rejecting }) => {
    assertSaid(rejecting, 'agent', [String.raw`nodejs\.Error: the agent cannot get ready`, String.raw`\[agent_worker\] start error, exiting with code:1`]);
    assert.doesNotMatch(rejecting.stdout, /agent_worker#1:\d+ started/);
  });

  line('4.1.29', ({ throwing }) => {
    assert.match(throwing.stderr, logged(throwing, 'exit with code:1', { level: 'ERROR' }));
    assert.ok(!throwing.stdout.includes('exit with code'));
  });

  line('4.3.1', ({ throwing, forkless }) => {
    assert.ok(!fs.existsSync(throwing.options.pidFile));
    assert.deepEqual(forkless.ended, { code: 1, signal: null });
    assert.ok(forkless.stderr.includes(__filename), forkless.stderr);
    assert.ok(!forkless.stdout.includes(AGENT_FORKED));
  });

  line('5.3', ({ throwing }) => assertFailed(throwing, 'agent', 1, { apps: 0 }));

  line('5.4', ({ killed, agent }) => assertFailed(killed, 'agent', 1, { died: String.raw`${agent} died \(code: null, signal: SIGKILL\)` }));
});

scenario('a start that fails with an app', {
  async start(subject) {
    const throwing = await ended(await subject.start({}, { fault: { role: 'app', how: 'throw', index: 0 } }));
    const rejecting = await ended(await subject.start({}, { fault: { role: 'app', how: 'reject', index: 0 } }));
    const late = await ended(await subject.start({}, { fault: { role: 'app', how: 'hang', index: 0 }, config: { workerStartTimeout: 300 } }));
    const other = http.createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address();
    const withoutPort = await ended(await subject.start({ port }));
    other.close();
    const killed = await subject.start({}, { fault: { role: 'app', how: 'hang', index: 1 } });
    const { pid } = await told(killed, 'probe-fault');
    await killed.output(/app_worker#1:\d+ started at/);
    process.kill(pid, 'SIGKILL');
    return { throwing, rejecting, late, withoutPort, killed: await ended(killed), pid };
  },
}, line => {
  line('4.1.19', ({ throwing, rejecting, late, withoutPort }) => {
    for (const cluster of [throwing, rejecting, late]) assertFailed(cluster, 'app', 1);
    assertFailed(withoutPort, 'app', '[12]');
  });

  line('3.1.7', ({ rejecting }) => {
    assertSaid(rejecting, 'app', [String.raw`nodejs\.Error: the app cannot get ready`, String.raw`\[app_worker\] start error, exiting with code:1`]);
  });

  line('3.1.8', ({ late }) => assertSaid(late, 'app', [String.raw`\[app_worker\] start timeout, exiting with code:1`]));

  line('3.17', ({ withoutPort }) => {
    const { port } = withoutPort.options;
    assertSaid(withoutPort, 'app', [String.raw`\[app_worker\] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE`]);
  });

  line('4.1.32', ({ killed, pid }) => {
    // Where the process ends before its channel, the master is gone before the line.
    if (killed.stdout.includes(`worker:${pid} disconnect (`)) assert.match(killed.stdout, forkLine(killed, `don't fork, because worker:${pid} will be kill soon`));
    assert.doesNotMatch(killed.stderr, /don't fork|new worker:/);
  });

  line('5.3', ({ throwing, rejecting, late, withoutPort, killed, pid }) => {
    assert.match(throwing.stderr, /the app throws while it is loaded/);
    assert.match(rejecting.stderr, /the app cannot get ready/);
    assert.match(late.stderr, /\[app_worker\] start timeout/);
    assert.match(withoutPort.stderr, /EADDRINUSE/);
    for (const cluster of [throwing, rejecting, late]) assertFailed(cluster, 'app', 1);
    assertFailed(withoutPort, 'app', '[12]');
    assertFailed(killed, 'app', 2, { died: String.raw`${pid} died \(code: \w+, signal: SIGKILL, ` });
  });
});

scenario('a debugger that kills an app', {
  async start(subject) {
    const cluster = await subject.start({ isDebug: true });
    await cluster.ready();
    const apps = [1, 2].map(number => Number(new RegExp(`app_worker#${number}:(\\d+) start,`).exec(cluster.stdout)[1]));
    return { cluster, agent: cluster.agentPid(), apps };
  },
}, (line, step) => {
  line('4.2.23', ({ cluster, agent, apps }, { version }) => {
    const data = (debugPort, pid) => ({ debugPort, pid, ...(version === 3 && { workerId: pid }) });
    assert.deepEqual(toParent(cluster, 'debug'), [
      { action: 'debug', to: 'parent', from: 'agent', data: data(5800, agent) },
      { action: 'debug', to: 'parent', from: 'app', data: data(9230, apps[0]) },
      { action: 'debug', to: 'parent', from: 'app', data: data(9231, apps[1]) },
    ]);
  });

  step('SIGKILL', async run => {
    process.kill(run.apps[0], 'SIGKILL');
    await run.cluster.exit();
    await run.cluster.assertNothingLeft();
  }, line => {
    line('4.1.21', ({ cluster, apps: [first] }) => {
      assertInOrder(cluster.stderr, [
        logged(cluster, String.raw`app_worker#1:${first} died \(code: \w+, signal: SIGKILL, suicide: \w+, state: \w+\), current workers: .*`, { level: 'ERROR' }),
        logged(cluster, String.raw`worker kill by debugger, exiting\.\.\.`, { level: 'ERROR' }),
      ]);
      assert.doesNotMatch(cluster.stderr, /AppWorkerDiedError/);
    });

    line('7.7', ({ cluster, agent }) => {
      assert.deepEqual(cluster.ended, { code: 0, signal: null });
      assertInOrder(cluster.stdout, ['send kill SIGTERM to app workers', 'send kill SIGTERM to agent worker', `[probe] agent ${agent} closes\n`, '[master] close done']);
      assert.ok(!cluster.stdout.includes('killed by signal'));
    });
  });
});
