'use strict';

// One cluster in production: a slow start, a killed app, one that disconnects, two agents that die, and SIGTERM.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const v8 = require('node:v8');
const { assertInOrder, countOf } = require('../../helpers/lines');
const { ask, told } = require('../../helpers/probe');
const processes = require('../../helpers/processes');
const { runFolder } = require('../../helpers/run_folder');
const { scenario } = require('../contract');
const { started, toParent, turnPage } = require('../life');
const { logged, loggedError, forkLine, forkExtras, timeOf, startLine } = require('../log');

const BOOLEAN = '(?:true|false|undefined)';
const PIDS = String.raw`\[\d+(?:,\d+)*\]`;
const FORKED = ' start, state: none, current workers: ';

scenario('a life in production', {
  async start(subject) {
    const pidFile = path.join(runFolder(), 'pids', subject.name, 'master.pid');
    const cluster = await subject.start({ pidFile, foo: { bar: [1] } }, {
      env: { NODE_ENV: 'production', HOST: '0.0.0.0' },
      fault: { role: 'app', index: 1, how: 'hold' },
    });
    await told(cluster, 'probe-booting');
    const pidWritten = fs.readFileSync(pidFile, 'utf8');
    await told(cluster, 'probe-fault');
    const first = await started(cluster, 'app', 1);
    const [, second] = await cluster.output(/app_worker#2:(\d+) start,/);
    return { cluster, pidFile, pidWritten, agent: cluster.agentPid(), apps: [first, Number(second)] };
  },
}, (line, step) => {
  line('4.3.1', ({ cluster, pidWritten }) => assert.equal(pidWritten, String(cluster.pid)));

  line('4.2.12', async ({ cluster, apps: [, loading] }, { version }) => {
    const data = { port: cluster.options.port, protocol: 'http' };
    const sent = await ask(cluster, loading, 'sent', 'realport');
    assert.deepEqual(sent, version === 2 ? [{ to: 'master', action: 'realport', data }] : []);
  });

  line('5.1', async ({ cluster, apps: [, loading] }) => {
    const port = await ask(cluster, loading, 'listenElsewhere');
    assert.ok(!cluster.stdout.includes(`started at ${port}`));
    assert.deepEqual(toParent(cluster, 'egg-ready'), []);
  });

  line('5.2', async ({ cluster, agent, apps }) => {
    for (const pid of [agent, ...apps]) assert.deepEqual(await ask(cluster, pid, 'received', 'egg-ready'), []);
    assert.deepEqual(toParent(cluster, 'egg-ready'), []);
    assert.ok(!cluster.stdout.includes('small started on'));
  });

  step('the second app gets ready', async run => {
    await ask(run.cluster, run.apps[1], 'go');
    await run.cluster.ready();
    [run.options] = await ask(run.cluster, run.agent, 'when', { action: 'egg-ready' });
  }, line => {
    line('4.1.0', ({ cluster }) => {
      assert.equal(cluster.stderr, '');
      for (const text of cluster.stdout.split('\n').filter(text => text.includes('[master]'))) assert.match(text, startLine(cluster));
    });

    line('4.1.3', ({ cluster, options }) => {
      const [, printed] = /start with options:\n(\{\n[^]*?\n\})\n/.exec(cluster.stdout);
      const { clusterPort, ...before } = options;
      assert.ok(clusterPort > 0);
      assert.deepEqual(printed.split('\n'), JSON.stringify({ ...JSON.parse(printed) }, null, 2).split('\n'));
      assert.deepEqual(JSON.parse(printed), before);
      assert.match(cluster.stdout, logged(cluster, 'start with options:'));
    });

    line('4.1.5', ({ cluster, agent, options }) => {
      assert.match(cluster.stdout, logged(cluster, `agent_worker#1:${agent} start with clusterPort:${options.clusterPort}`));
    });

    line('4.1.6', ({ cluster, agent }) => assert.match(cluster.stdout, logged(cluster, String.raw`agent_worker#1:${agent} started \(\d+ms\)`)));

    line('4.1.8', ({ cluster, apps }) => {
      for (const [index, pid] of apps.entries()) {
        assert.match(cluster.stdout, logged(cluster, String.raw`app_worker#${index + 1}:${pid} start, state: none, current workers: \["1","2"\]`));
      }
    });

    line('4.1.10', ({ cluster, apps: [first, second] }) => {
      const { port } = cluster.options;
      assertInOrder(cluster.stdout, [
        logged(cluster, String.raw`app_worker#1:${first} started at ${port}, remain 1 \(\d+ms\)`),
        logged(cluster, String.raw`app_worker#2:${second} started at ${port}, remain 0 \(\d+ms\)`),
      ]);
      assert.equal(countOf(cluster.stdout, ' started at '), 2);
    });

    line('4.1.11', ({ cluster }) => {
      assert.match(cluster.stdout, logged(cluster, String.raw`small started on http://127\.0\.0\.1:${cluster.options.port} \(\d+ms\)`));
    });

    line('4.2.11', async ({ cluster, agent }, { version }) => {
      const sender = version === 3 && { senderWorkerId: String(agent) };
      assert.deepEqual(await ask(cluster, agent, 'sent', 'agent-start'), [{ action: 'agent-start', to: 'master', ...sender }]);
    });

    line('4.2.12', async ({ cluster, apps }, { version }) => {
      for (const pid of apps) {
        const sender = version === 3 && { senderWorkerId: String(pid) };
        const data = { port: cluster.options.port, protocol: 'http' };
        assert.deepEqual(await ask(cluster, pid, 'sent', 'realport'), [{ to: 'master', action: 'realport', data, ...sender }]);
      }
    });

    line('4.2.16', async ({ cluster, apps, options }) => {
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'when', { action: 'egg-ready' }), [options]);
    });

    line('4.2.17', async ({ cluster, agent }) => {
      const { argv } = await ask(cluster, agent, 'facts');
      assert.deepEqual(await ask(cluster, agent, 'received', 'egg-ready'), [JSON.parse(argv.at(-1))]);
      assert.equal(JSON.parse(argv.at(-1)).workers, 2);
    });

    line('4.2.18', async ({ cluster, agent, apps: [first, second] }) => {
      const [one, two, ready, ...more] = (await ask(cluster, agent, 'all')).map(({ action, data }) => (action === 'egg-ready' ? action : [action, data]));
      assert.deepEqual([one, two, ready], [['egg-pids', [first]], ['egg-pids', [first, second]], 'egg-ready']);
      assert.deepEqual(more, []);
    });

    line('4.2.19', async ({ cluster, agent, apps }, { version }) => {
      for (const pid of apps) {
        const told = { action: 'egg-pids', data: [agent], from: 'master', to: 'app', receiverPid: String(pid), receiverWorkerId: String(pid) };
        assert.deepEqual(await ask(cluster, pid, 'raw', 'egg-pids'), version === 3 ? [told] : []);
      }
    });

    line('4.2.20', async ({ cluster, apps }) => {
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'raw', 'agent-start'), []);
    });

    line('4.4.1', async ({ cluster }) => {
      const { port } = cluster.options;
      assert.deepEqual(await cluster.ready(), { port, address: `http://127.0.0.1:${port}`, protocol: 'http' });
    });
  });

  step('an app is killed', async run => {
    await turnPage(run);
    const { cluster, apps: [first, second] } = run;
    process.kill(first, 'SIGKILL');
    await cluster.message('app-worker-died');
    run.apps = [await started(cluster, 'app', 3), second];
    for (const pid of run.apps) await ask(cluster, pid, 'when', { action: 'egg-ready' });
    await ask(cluster, run.agent, 'when', { action: 'egg-pids', count: 2 });
    run.killed = first;
  }, line => {
    line('4.1.8', ({ cluster, apps: [third], stdout }) => {
      assert.match(stdout, logged(cluster, String.raw`app_worker#3:${third} start, state: none, current workers: \["(?:1",")?2","3"\]`));
    });

    line('4.1.10', ({ cluster, apps: [third], stdout }) => {
      assert.match(stdout, logged(cluster, String.raw`app_worker#3:${third} started at ${cluster.options.port}, remain 0 \(\d+ms\)`));
    });

    line('4.1.13', async ({ cluster, killed, stdout }) => {
      assert.match(stdout, logged(cluster, String.raw`app_worker#1:${killed} disconnect, suicide: ${BOOLEAN}, state: disconnected, current workers: \["[",\d]+"\]`));
    });

    line('4.1.14', ({ cluster, killed, stderr }) => {
      const died = String.raw`app_worker#1:${killed} died \(code: \w+, signal: SIGKILL, suicide: ${BOOLEAN}, state: \w+\), current workers: ${PIDS}`;
      assert.match(stderr, loggedError(cluster, 'AppWorkerDiedError', died));
    });

    line('4.1.33', ({ cluster, apps: [third], stderr }, subject) => {
      const { count } = forkExtras(subject, 1);
      assert.match(stderr, forkLine(cluster, String.raw`new worker:${third} fork \(state: none${count}\)`));
    });

    line('4.2.16', async ({ cluster, apps, options }) => {
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'received', 'egg-ready'), [options]);
    });

    line('4.2.17', async ({ cluster, agent }) => assert.deepEqual(await ask(cluster, agent, 'received', 'egg-ready'), []));

    line('4.2.18', async ({ cluster, agent, apps: [third, second] }) => {
      assert.deepEqual(await ask(cluster, agent, 'received', 'egg-pids'), [[second], [second, third]]);
    });

    line('4.2.15', ({ cluster }) => assert.equal(toParent(cluster, 'egg-ready').length, 1));

    line('4.2.22', ({ cluster }) => {
      assert.deepEqual(toParent(cluster, 'app-worker-died'), [{ action: 'app-worker-died', to: 'parent', from: 'master' }]);
    });

    line('7.2', ({ cluster, apps }) => {
      assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
      assert.equal(countOf(cluster.stdout, FORKED), 3);
    });

    line('7.3', ({ apps: [third], killed, stderr }) => {
      assert.match(stderr, new RegExp(String.raw`worker:${killed} exit \(code: null, `));
      assert.match(stderr, new RegExp(`new worker:${third} fork`));
    });
  });

  step('an app disconnects and stays', async run => {
    await turnPage(run);
    const { cluster, apps: [third, second] } = run;
    run.lingering = processes.look(third);
    await ask(cluster, third, 'linger');
    await ask(cluster, third, 'disconnect');
    run.apps = [await started(cluster, 'app', 4), second];
    run.stayed = processes.isAlive(run.lingering);
    await ask(cluster, second, 'sendRaw', { action: 'news', data: 'for nobody', receiverPid: String(third) });
    await ask(cluster, second, 'sendRaw', { action: 'news', data: 'for all', to: 'app' });
    await ask(cluster, second, 'when', { action: 'news' });
    process.kill(third, 'SIGUSR2');
    await cluster.output(new RegExp(`worker:${third} exit .*`));
    await ask(cluster, run.agent, 'when', { action: 'egg-pids', last: [second, run.apps[0]] });
  }, line => {
    line('4.1.13', ({ cluster, lingering: { pid }, stdout }) => {
      assert.match(stdout, logged(cluster, String.raw`app_worker#3:${pid} disconnect, suicide: true, state: disconnected, current workers: \["[",\d]+"\]`));
    });

    line('4.1.31', ({ cluster, lingering: { pid }, stderr }, subject) => {
      const { slave } = forkExtras(subject);
      const fields = `exitedAfterDisconnect: true, state: disconnected, isDead: false, worker.disableRefork: false${slave}`;
      assert.match(stderr, forkLine(cluster, String.raw`worker:${pid} disconnect \(${fields}\)`));
    });

    line('4.1.33', ({ cluster, apps: [fourth], stderr }, subject) => {
      const { count } = forkExtras(subject, 2);
      assert.match(stderr, forkLine(cluster, String.raw`new worker:${fourth} fork \(state: none${count}\)`));
    });

    line('4.2.9', async ({ cluster, apps }) => {
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'received', 'news'), ['for all']);
    });

    line('7.2', ({ cluster, apps, stayed, stderr }) => {
      assert.ok(stayed, 'the fork waited for the end of the old process');
      assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
      assert.equal(countOf(cluster.stdout, FORKED), 4);
      assert.equal(countOf(stderr, 'new worker:'), 1);
    });
  });

  step('the agent is killed', async run => {
    await turnPage(run);
    const { cluster, agent } = run;
    // The stock layers lose what goes by pid while there is no agent, so the app is asked before.
    await ask(cluster, run.apps[0], 'sendRawAt', { action: 'egg-pids', message: { action: 'news', data: 'for nobody', to: 'agent' } });
    run.killedAt = Date.now();
    process.kill(agent, 'SIGKILL');
    await cluster.message('agent-worker-died');
    run.killed = agent;
    run.agent = await started(cluster, 'agent', 2);
    for (const pid of run.apps) await ask(cluster, pid, 'when', { action: 'agent-start' });
    await ask(cluster, run.agent, 'when', { action: 'egg-pids' });
  }, line => {
    line('4.1.5', ({ cluster, agent, options, stdout }) => {
      assert.match(stdout, logged(cluster, `agent_worker#2:${agent} start with clusterPort:${options.clusterPort}`));
    });

    line('4.1.6', ({ cluster, agent, stdout }) => assert.match(stdout, logged(cluster, String.raw`agent_worker#2:${agent} started \(\d+ms\)`)));

    line('4.1.15', ({ cluster, killed, stderr }) => {
      assert.match(stderr, loggedError(cluster, 'AgentWorkerDiedError', String.raw`agent_worker#1:${killed} died \(code: null, signal: SIGKILL\)`));
    });

    line('4.1.16', ({ cluster, stdout }) => {
      assertInOrder(stdout, [logged(cluster, String.raw`try to start a new agent_worker after 1s \.\.\.`), logged(cluster, String.raw`new agent_worker starting\.\.\.`)]);
    });

    line('4.2.4', async ({ cluster, agent }) => assert.deepEqual(await ask(cluster, agent, 'received', 'news'), []));

    line('4.2.17', async ({ cluster, agent, options }) => assert.deepEqual(await ask(cluster, agent, 'received', 'egg-ready'), [options]));

    line('4.2.18', async ({ cluster, agent, apps: [fourth, second] }) => {
      assert.deepEqual(await ask(cluster, agent, 'received', 'egg-pids'), [[second, fourth]]);
      const actions = (await ask(cluster, agent, 'all')).map(({ action }) => action);
      assert.deepEqual(actions, ['egg-ready', 'egg-pids']);
    });

    line('4.2.19', async ({ cluster, agent, apps }) => {
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'received', 'egg-pids'), [[], [agent]]);
    });

    line('4.2.20', async ({ cluster, apps }) => {
      for (const pid of apps) assert.equal((await ask(cluster, pid, 'raw', 'agent-start')).length, 1);
    });

    line('4.2.21', ({ cluster }) => {
      assert.deepEqual(toParent(cluster, 'agent-worker-died'), [{ action: 'agent-worker-died', to: 'parent', from: 'master' }]);
    });

    line('7.1', ({ cluster, agent, apps, killedAt, stdout }) => {
      assert.equal(cluster.agentPid(), agent);
      assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
      assert.equal(countOf(cluster.stdout, FORKED), 4);
      const after = timeOf(stdout, / new agent_worker starting/) - killedAt;
      // Timers may be a millisecond early.
      assert.ok(after >= 990, `forked after ${after} ms`);
    });
  });

  step('the agent closes its channel, and leaves late', async run => {
    await turnPage(run);
    const { cluster, agent, apps: [fourth, second] } = run;
    for (const command of ['linger', 'holdAtClose', 'closeChannel']) await ask(cluster, agent, command);
    await cluster.output(`[probe] agent ${agent} closes\n`);
    await ask(cluster, second, 'sendRaw', { action: 'news', data: 'for the agent' });
    await ask(cluster, second, 'sendRaw', { action: 'news', data: 'for the app', receiverPid: String(fourth) });
    await ask(cluster, fourth, 'when', { action: 'news' });
    process.kill(agent, 'SIGUSR2');
    run.left = agent;
    run.agent = await started(cluster, 'agent', 3);
  }, line => {
    line('4.1.15', ({ cluster, left, stderr }) => {
      assert.match(stderr, loggedError(cluster, 'AgentWorkerDiedError', String.raw`agent_worker#2:${left} died \(code: 110, signal: null\)`));
    });

    line('4.2.9', ({ cluster }) => assert.equal(cluster.ended, null));

    line('7.1', ({ cluster, agent, apps }) => {
      assert.equal(cluster.agentPid(), agent);
      assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
      assert.equal(toParent(cluster, 'agent-worker-died').length, 2);
    });
  });

  step('SIGTERM', async run => {
    const { cluster, apps } = run;
    for (const pid of apps) await ask(cluster, pid, 'holdAtClose');
    await turnPage(run);
    cluster.kill('SIGTERM');
    for (const pid of apps) await cluster.output(`[probe] app ${pid} closes\n`);
    run.whileAppsClose = run.stdout;
    for (const pid of apps) process.kill(pid, 'SIGUSR2');
    await cluster.exit();
    await cluster.assertNothingLeft();
  }, line => {
    line('4.1.22', ({ cluster, stdout }) => assert.match(stdout, logged(cluster, 'master is killed by signal SIGTERM, closing')));

    line('4.1.23', ({ cluster, stdout }) => {
      const [said] = logged(cluster, `system memory: total ${os.totalmem()}, free \\d+`).exec(stdout);
      assert.ok(Number(/\d+$/.exec(said)[0]) < os.totalmem());
    });

    line('4.1.24', ({ cluster, stdout }) => {
      const limit = v8.getHeapStatistics().heap_size_limit;
      const [said] = logged(cluster, `process info: heap_limit ${limit}, heap_used \\d+`).exec(stdout);
      const used = Number(/\d+$/.exec(said)[0]);
      // Node itself does not fit into less.
      assert.ok(used > 1 << 20 && used < limit, said);
    });

    line('4.1.25', ({ cluster, stdout }) => assertInOrder(stdout, [
      logged(cluster, String.raw`process info: .*`),
      logged(cluster, 'send kill SIGTERM to app workers, will exit with code:0 after 5000ms'),
      logged(cluster, 'wait 5000ms'),
    ]));

    line('4.1.26', ({ cluster, stdout }) => assertInOrder(stdout, [
      logged(cluster, 'send kill SIGTERM to agent worker, will exit with code:0 after 5000ms'),
      logged(cluster, 'wait 5000ms'),
    ]));

    line('4.1.28', ({ cluster, stdout }) => assert.match(stdout, logged(cluster, 'close done, exiting with code:0')));

    line('4.1.29', ({ cluster, stdout }) => assert.match(stdout, new RegExp(`${logged(cluster, 'exit with code:0').source}\n$`, 'm')));

    line('4.1.31', ({ cluster, apps, stdout }, subject) => {
      const fields = `exitedAfterDisconnect: ${BOOLEAN}, state: disconnected, isDead: ${BOOLEAN}, worker.disableRefork: true${forkExtras(subject).slave}`;
      for (const pid of apps) assert.match(stdout, forkLine(cluster, String.raw`worker:${pid} disconnect \(${fields}\)`));
    });

    line('4.1.32', ({ cluster, apps, stdout, stderr }) => {
      // Whether the channel or the process ends first is the kernel's choice.
      for (const pid of apps) assert.match(stdout, forkLine(cluster, `don't fork, because worker:${pid} (?:will be kill soon|exit event emit before disconnect)`));
      assert.equal(stderr, '');
    });

    line('4.3.1', ({ pidFile }) => assert.ok(!fs.existsSync(pidFile)));

    line('6.1', ({ cluster }) => assert.deepEqual(cluster.ended, { code: 0, signal: null }));

    line('6.2', ({ cluster, agent, apps, stdout, whileAppsClose }) => {
      assert.doesNotMatch(whileAppsClose, /to agent worker|agent \d+ closes|\] exit with/);
      const agentAsked = 'send kill SIGTERM to agent worker';
      for (const pid of apps) assertInOrder(stdout, [` ${pid} [app_worker] exit with code:0\n`, agentAsked]);
      assertInOrder(stdout, [agentAsked, `[probe] agent ${agent} closes\n`, ` ${agent} [agent_worker] exit with code:0\n`, '[master] exit with code:0\n']);
      assert.deepEqual(cluster.ended, { code: 0, signal: null });
    });

    line('6.9', ({ stdout, stderr }) => assert.doesNotMatch(stdout + stderr, / fork \(state| start, state: none/));

    line('6.10', ({ cluster }) => assert.deepEqual(cluster.living(), []));
  });
});
