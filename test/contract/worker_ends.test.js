'use strict';

// What a worker does on the end of things: asked to leave, without a master, by itself, after an exception.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { getJson, request } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { ask, told } = require('../helpers/probe');
const processes = require('../helpers/processes');
const { scenario } = require('./contract');
const { workerLogged } = require('./log');

// So that the worker scripts write their INFO lines.
const production = { env: { NODE_ENV: 'production' } };

async function started(subject) {
  const cluster = await subject.start({}, production);
  await cluster.ready();
  return { cluster, agent: cluster.agentPid(), apps: cluster.appPids() };
}

scenario('a cluster in production whose workers exit by themselves, and whose master is killed', {
  start: started,
}, (line, step) => {
  step('an app and the agent exit with 7', async run => {
    const { cluster, agent, apps } = run;
    await ask(cluster, apps[0], 'exit', 7);
    const [, app] = await cluster.output(/app_worker#3:(\d+) started at/);
    await ask(cluster, agent, 'exit', 7);
    const [, next] = await cluster.output(/agent_worker#2:(\d+) started/);
    run.now = { agent: Number(next), apps: [Number(app), apps[1]] };
  }, (line, step) => {
    line('3.1.3', ({ cluster, agent, apps }) => {
      assert.match(cluster.stderr, workerLogged(String.raw`\[app_worker\] exit with code:7`, { level: 'ERROR', pid: apps[0] }));
      assert.match(cluster.stderr, workerLogged(String.raw`\[agent_worker\] exit with code:7`, { level: 'ERROR', pid: agent }));
    });

    step('the master is killed', async ({ cluster }) => {
      cluster.kill('SIGKILL');
      await cluster.exit();
      await cluster.assertNothingLeft();
    }, line => {
      line('3.1.4', ({ cluster, now: { agent, apps } }) => {
        assertInOrder(cluster.stderr, [
          workerLogged(String.raw`\[agent_worker\] receive disconnect event on child_process fork mode, exiting with code:110`, { level: 'ERROR', pid: agent }),
          workerLogged(String.raw`\[agent_worker\] exit with code:110`, { level: 'ERROR', pid: agent }),
        ]);
        assert.ok(cluster.stdout.includes(`[probe] agent ${agent} closes\n`));
        for (const pid of apps) {
          assert.match(cluster.stderr, workerLogged(String.raw`\[app_worker\] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false`, { level: 'ERROR', pid }));
          assert.match(cluster.stdout, workerLogged(String.raw`\[app_worker\] exit with code:0`, { pid }));
          assert.ok(!cluster.stdout.includes(`[probe] app ${pid} closes\n`));
        }
      });

      line('3.1.3', ({ cluster, now: { agent } }) => {
        assert.match(cluster.stderr, workerLogged(String.raw`\[agent_worker\] exit with code:110`, { level: 'ERROR', pid: agent }));
      });
    });
  });
});

const folders = [];

scenario('a real egg on a unix socket without any port', {
  async start(subject) {
    // Not below the project: a socket's path has room for 107 bytes only.
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clutch-'));
    folders.push(folder);
    const socketPath = path.join(folder, 'app.sock');
    const cluster = await subject.startEgg({ workers: 1, port: null }, {
      config: { cluster: { listen: { path: socketPath } }, logger: { disableConsoleAfterReady: false } },
    });
    const ready = await cluster.ready();
    return { cluster, ready, socketPath, agent: cluster.agentPid(), app: cluster.appPids()[0] };
  },
}, (line, step) => {
  line('1.4', ({ ready, socketPath }) => assert.equal(ready.address, socketPath));

  // Where a socket is listened on, the port is still read and told, and taken by nobody.
  line('10.7', async ({ cluster, ready, app }) => {
    assert.equal(ready.port, 7001);
    assert.ok((await ask(cluster, app, 'portInOptions')).includes(7001));
  });

  step('an exception in the agent, and one in the app that holds a request', async (run, subject) => {
    const { cluster, agent, app, socketPath } = run;
    if (subject.version === 2) await ask(cluster, agent, 'throwUncaught');
    run.answer = request({ socketPath, path: '/hold' });
    run.answer.catch(() => {});
    await told(cluster, 'probe-holding');
    await ask(cluster, app, 'throwUncaught');
    await cluster.output(/app_worker#2:\d+ started at/);
    await ask(cluster, agent, 'when', { action: 'graceful:disconnect' });
  }, line => {
    // It is egg 3 that catches it; under egg 4 such an agent dies.
    line('3.1.6', async ({ cluster, agent }) => {
      assert.match(cluster.stdout + cluster.stderr, new RegExp(String.raw`nodejs\.unhandledExceptionError: thrown outside of everything[^]*pid: ${agent}\n`));
      assert.equal(cluster.agentPid(), agent);
      assert.equal((await ask(cluster, agent, 'facts')).pid, agent);
    }, { of: ({ version }) => version === 2 });

    line('3.1.6', async ({ cluster, agent, app, answer, socketPath }) => {
      assert.match(cluster.stderr, new RegExp(String.raw`\[graceful:worker:${app}:uncaughtException\] throw error 1 times`));
      assert.deepEqual(await ask(cluster, agent, 'raw', 'graceful:disconnect'),
        [{ action: 'graceful:disconnect', data: 'graceful:disconnect', from: 'app', to: 'agent' }]);
      assert.match(cluster.stderr, new RegExp(String.raw`worker:${app} disconnect \(exitedAfterDisconnect: true,`));
      const thrower = processes.look(app);
      assert.ok(thrower && processes.isAlive(thrower), 'it stays until it is drained');
      const [next] = cluster.appPids().filter(pid => pid !== app);
      assert.equal((await getJson({ socketPath }, '/')).pid, next);
      process.kill(app, 'SIGUSR2');
      assert.equal((await answer).json().pid, app);
    });
  });

  after(() => folders.forEach(folder => fs.rmSync(folder, { recursive: true })));
});
