'use strict';

// Two clusters in env local: one that loses an app and an agent, and one that is reloaded again and again and logs all it has to say.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { getJson } = require('../../helpers/http_client');
const { countOf } = require('../../helpers/lines');
const { ask, told } = require('../../helpers/probe');
const { runFolder } = require('../../helpers/run_folder');
const { scenario } = require('../contract');
const { started, toParent, turnPage } = require('../life');
const { logged, loggedError, forkLine, forkExtras } = require('../log');

const BOOLEAN = '(?:true|false|undefined)';

scenario('a life in env local', {
  async start(subject) {
    const cluster = await subject.start({ env: 'local' }, { env: { HOST: '' } });
    await cluster.ready();
    return { cluster, agent: cluster.agentPid(), apps: cluster.appPids() };
  },
}, (line, step) => {
  line('4.1.5', ({ cluster }) => assert.doesNotMatch(cluster.stdout, /clusterPort/));

  line('4.1.6', ({ cluster, agent }) => assert.match(cluster.stdout, logged(cluster, String.raw`agent_worker#1:${agent} started \(\d+ms\)`)));

  line('4.1.11', ({ cluster }) => {
    assert.match(cluster.stdout, logged(cluster, String.raw`small started on http://127\.0\.0\.1:${cluster.options.port} \(\d+ms\)`));
  });

  line('4.4.1', async ({ cluster }) => assert.equal((await cluster.ready()).address, `http://127.0.0.1:${cluster.options.port}`));

  step('an app is killed', async run => {
    await turnPage(run);
    const { cluster, apps: [first, second] } = run;
    process.kill(first, 'SIGKILL');
    await cluster.message('app-worker-died');
    await cluster.output(/don't fork new work /);
    // The way there and back goes through the master, which would have forked by now.
    await ask(cluster, second, 'facts');
    run.killed = first;
  }, line => {
    line('4.1.13', ({ cluster, killed, stdout }, { version }) => {
      const text = String.raw`app_worker#\d:${killed} disconnect, suicide: ${BOOLEAN}, state: disconnected, current workers: \["[",\d]+"\]`;
      if (version === 2) assert.match(stdout, logged(cluster, text));
      else assert.ok(!stdout.includes(' disconnect, suicide: '));
    });

    line('4.1.14', ({ cluster, killed, stderr }) => {
      assert.match(stderr, loggedError(cluster, 'AppWorkerDiedError', String.raw`app_worker#\d:${killed} died \(.*`));
    });

    line('4.1.34', ({ cluster, stderr }, subject) => {
      const { count } = forkExtras(subject, 0);
      assert.match(stderr, forkLine(cluster, String.raw`don't fork new work \(refork: false${count}\)`));
    });

    line('4.2.22', ({ cluster }) => assert.equal(toParent(cluster, 'app-worker-died').length, 1));

    line('7.2', async ({ cluster, apps: [, second] }) => {
      assert.deepEqual(cluster.appPids(), [second]);
      assert.equal((await getJson(cluster.options.port)).pid, second);
    });

    line('7.3', ({ cluster, killed, stderr }) => {
      assert.match(stderr, forkLine(cluster, String.raw`worker:${killed} disconnect \(exitedAfterDisconnect: ${BOOLEAN}, .*`));
      assert.match(stderr, forkLine(cluster, String.raw`worker:${killed} exit \(code: null, .*`));
    });
  });

  step('the agent exits by itself', async run => {
    await ask(run.cluster, run.agent, 'exit', 0);
    run.left = run.agent;
    run.agent = await started(run.cluster, 'agent', 2);
  }, line => {
    line('4.1.15', ({ cluster, left, stderr }) => {
      assert.match(stderr, loggedError(cluster, 'AgentWorkerDiedError', String.raw`agent_worker#1:${left} died \(code: 0, signal: null\)`));
    });

    line('4.1.16', ({ cluster, stdout }) => {
      assert.match(stdout, logged(cluster, String.raw`new agent_worker starting\.\.\.`));
      assert.doesNotMatch(stdout, /try to start a new agent_worker/);
    });

    line('4.2.21', ({ cluster }) => assert.equal(toParent(cluster, 'agent-worker-died').length, 1));

    line('7.1', ({ cluster, agent, apps: [, second] }) => {
      assert.equal(cluster.agentPid(), agent);
      assert.deepEqual(cluster.appPids(), [second]);
    });
  });

  step('SIGINT', ({ cluster }) => cluster.stop('SIGINT'), line => {
    line('4.1.22', ({ cluster }) => assert.match(cluster.stdout, logged(cluster, 'master is killed by signal SIGINT, closing')));
    line('4.1.28', ({ cluster }) => assert.doesNotMatch(cluster.stdout, /close done/));
    line('4.1.29', ({ cluster }) => assert.match(cluster.stdout, logged(cluster, 'exit with code:0')));
    line('6.1', ({ cluster }) => assert.deepEqual(cluster.ended, { code: 0, signal: null }));
  });
});

scenario('a cluster that is reloaded', {
  async start(subject) {
    const held = path.join(runFolder(), `new apps of ${subject.name}`);
    const cluster = await subject.start({ env: 'local', reload: { concurrency: 2 } }, {
      env: { EGG_MASTER_LOGGER_LEVEL: 'DEBUG' },
      fault: { role: 'app', how: 'hold', file: held },
    });
    await cluster.ready();
    const apps = [await started(cluster, 'app', 1), await started(cluster, 'app', 2)];
    return { cluster, held, agent: cluster.agentPid(), apps };
  },
}, (line, step) => {
  line('4.1.0', ({ cluster }) => {
    assert.match(cluster.stdout, logged(cluster, String.raw`agent_worker#1:\d+ start with clusterPort:\d+`, { level: 'DEBUG' }));
    assert.match(cluster.stdout, logged(cluster, String.raw`small started on .*`, { level: 'INFO' }));
  });

  line('4.1.3', ({ cluster }) => assert.match(cluster.stdout, logged(cluster, String.raw`start with options: \{.*"startMode":"process".*\}`, { level: 'DEBUG' })));

  step('an app asks for it, and the parent twice, before the new apps are ready', async run => {
    await turnPage(run);
    const { cluster, held, apps: [first, second] } = run;
    fs.writeFileSync(held, '');
    await ask(cluster, first, 'sendRaw', { action: 'reload-worker', to: 'app', receiverPid: String(cluster.pid) });
    run.next = [(await told(cluster, 'probe-fault')).pid, (await told(cluster, 'probe-fault', { index: 1 })).pid];
    run.forked = [3, 4].map(number => Number(new RegExp(`app_worker#${number}:(\\d+) start,`).exec(cluster.stdout)[1]));
    cluster.send({ action: 'reload-worker' });
    cluster.send({ action: 'reload-worker' });
    await ask(cluster, run.agent, 'facts');
    fs.rmSync(held);
    await ask(cluster, run.forked[1], 'go');
    await cluster.output(`[probe] app ${second} closes\n`);
    run.whileFirstServes = cluster.stdout;
    run.answering = await getJson(cluster.options.port).catch(({ code }) => ({ code }));
    await ask(cluster, run.forked[0], 'go');
    await cluster.message('app-worker-died', { index: 3 });
    run.apps = [await started(cluster, 'app', 5), await started(cluster, 'app', 6)];
    run.old = [first, second];
  }, line => {
    line('8.1', ({ cluster, apps, old, forked, next, stderr, stdout }) => {
      assert.deepEqual(next.sort(), [...forked].sort());
      for (const pid of [...old, ...forked]) assert.match(stdout, new RegExp(`app_worker#\\d:${pid} disconnect, `));
      assert.deepEqual(cluster.appPids().sort(), [...apps].sort());
      assert.equal(countOf(cluster.stdout, ' start, state: none,'), 6);
      assert.doesNotMatch(stderr, /AppWorkerDiedError/);
    });

    // Version 3 asks the first to leave at once, like the others, so that nobody serves until a new one does.
    line('8.1', ({ old: [first], forked: [, second], whileFirstServes, answering }) => {
      assert.ok(!whileFirstServes.includes(`[probe] app ${first} closes\n`));
      assert.ok([first, second].includes(answering.pid), JSON.stringify(answering));
    }, { of: ({ version, stock }) => version === 2 || !stock });

    line('4.2.1', ({ forked }) => assert.equal(forked.length, 2));

    line('4.2.22', ({ cluster }) => assert.equal(toParent(cluster, 'app-worker-died').length, 4));

    line('4.2.24', ({ apps }) => assert.equal(apps.length, 2));
  });

  step('the agent asks for it', async run => {
    await ask(run.cluster, run.agent, 'sendRaw', { action: 'reload-worker', to: 'master' });
    run.apps = [await started(run.cluster, 'app', 7), await started(run.cluster, 'app', 8)];
    await run.cluster.message('app-worker-died', { index: 5 });
  }, line => {
    line('4.2.24', ({ cluster, apps }) => assert.deepEqual(cluster.appPids().sort(), [...apps].sort()));
  });

  step('SIGTERM', ({ cluster }) => cluster.stop('SIGTERM'), line => {
    line('4.1.28', ({ cluster }) => assert.match(cluster.stdout, logged(cluster, 'close done, exiting with code:0', { level: 'DEBUG' })));
    line('6.1', ({ cluster }) => assert.deepEqual(cluster.ended, { code: 0, signal: null }));
  });
});
