'use strict';

// Stops in which somebody does not leave when asked, and the master that cannot ask any more.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { freePort } = require('../../helpers/free_port');
const { assertInOrder } = require('../../helpers/lines');
const { ask } = require('../../helpers/probe');
const processes = require('../../helpers/processes');
const { scenario } = require('../contract');
const { toParent, turnPage } = require('../life');
const { logged } = require('../log');

const TLS_FOLDER = path.join(__dirname, '..', '..', 'worker_scripts', 'tls');
const TLS = { key: path.join(TLS_FOLDER, 'localhost.key.pem'), cert: path.join(TLS_FOLDER, 'localhost.cert.pem') };

async function begin(subject, { options, env, config } = {}) {
  const cluster = await subject.start(options, { env, config });
  await cluster.ready();
  const apps = [1, 2].map(number => Number(new RegExp(`app_worker#${number}:(\\d+) start,`).exec(cluster.stdout)[1]));
  return { cluster, agent: cluster.agentPid(), apps };
}

/** Has `pid` start children and a grandchild: { obedient, stubborn, parent, grandchild }, their processes. */
async function family(cluster, pid) {
  const pids = {};
  for (const how of ['obedient', 'stubborn', 'parent']) pids[how] = await ask(cluster, pid, 'spawnChild', { how });
  const [, grandchild] = await cluster.output(new RegExp(`\\[probe\\] parent ${pids.parent} has (\\d+)\n`));
  return { ...pids, grandchild: Number(grandchild) };
}

scenario('a stop in which apps and descendants do not leave', {
  async start(subject) {
    const run = await begin(subject, { env: { EGG_MASTER_CLOSE_TIMEOUT: '60000', EGG_APP_CLOSE_TIMEOUT: '1500', EGG_AGENT_CLOSE_TIMEOUT: '1300' } });
    const { cluster, agent, apps: [deaf, slow] } = run;
    run.families = [await family(cluster, slow), await family(cluster, agent)];
    await ask(cluster, deaf, 'ignoreSigterm');
    await ask(cluster, slow, 'hangAtClose');
    await turnPage(run);
    cluster.kill('SIGTERM');
    await cluster.exit();
    await cluster.assertNothingLeft();
    return run;
  },
}, line => {
  line('4.1.25', ({ cluster, stdout }) => assertInOrder(stdout, [
    logged(cluster, 'send kill SIGTERM to app workers, will exit with code:0 after 1500ms'),
    logged(cluster, 'wait 1500ms'),
  ]));

  line('4.1.26', ({ cluster, stdout }) => assertInOrder(stdout, [
    logged(cluster, 'send kill SIGTERM to agent worker, will exit with code:0 after 1300ms'),
    logged(cluster, 'wait 1300ms'),
  ]));

  line('6.2', ({ cluster, agent, apps: [deaf, slow], stdout }) => {
    const agentAsked = 'send kill SIGTERM to agent worker';
    assertInOrder(stdout, [`[probe] ${deaf} ignores SIGTERM\n`, agentAsked, `[probe] agent ${agent} closes\n`, '[master] exit with code:0\n']);
    assertInOrder(stdout, [`[probe] app ${slow} closes\n`, agentAsked]);
    assert.deepEqual(cluster.ended, { code: 0, signal: null });
  });

  // That the master has ended at all: the apps would never have.
  line('6.3', ({ cluster }) => assert.deepEqual(cluster.ended, { code: 0, signal: null }));

  line('6.4', ({ families, stdout }) => {
    for (const { obedient, stubborn, parent, grandchild } of families) {
      for (const [how, pid] of Object.entries({ obedient, parent })) assert.ok(stdout.includes(`[probe] ${how} child ${pid} got SIGTERM\n`));
      for (const pid of [stubborn, grandchild]) assert.ok(stdout.includes(`[probe] stubborn child ${pid} got SIGTERM\n`));
    }
  });

  // Version 3 lets them live until their channel closes with the master's end, at which they say so.
  line('6.5', ({ stdout, stderr, apps: [, slow] }) => {
    assert.doesNotMatch(stderr, /receive disconnect event/);
    assert.ok(!stdout.includes(` ${slow} [app_worker] exit with code`));
  }, { of: ({ version, stock }) => version === 2 || !stock });

  line('6.10', ({ cluster }) => assert.deepEqual(cluster.living(), []));
});

scenario('a stop with a time-out for all, of a cluster whose address is in its config', {
  async start(subject) {
    const listen = { port: await freePort(), hostname: '127.0.0.2' };
    const run = await begin(subject, {
      options: { port: undefined },
      env: { EGG_MASTER_CLOSE_TIMEOUT: '700', HOST: 'not.shown' },
      config: { cluster: { listen, https: TLS } },
    });
    const { cluster, apps: [, hanging] } = run;
    await ask(cluster, hanging, 'hangAtClose');
    cluster.kill('SIGTERM');
    await cluster.exit();
    await cluster.assertNothingLeft();
    return { ...run, listen };
  },
}, line => {
  line('4.2.12', ({ cluster, listen: { port } }) => {
    const [{ data }] = toParent(cluster, 'egg-ready');
    assert.deepEqual([data.port, data.protocol], [port, 'https']);
  });

  line('4.4.1', ({ cluster, listen: { port } }) => assert.equal(toParent(cluster, 'egg-ready')[0].data.address, `https://127.0.0.2:${port}`));

  line('6.3', ({ cluster }) => {
    assertInOrder(cluster.stdout, [
      'to app workers, will exit with code:0 after 700ms\n', '[master] wait 700ms\n',
      'to agent worker, will exit with code:0 after 700ms\n', '[master] wait 700ms\n',
    ]);
    assert.deepEqual(cluster.ended, { code: 0, signal: null });
  });
});

scenario('a descendant that ignores SIGTERM, with the default time-outs, of a cluster on a unix socket', {
  async start(subject) {
    // Not below the project: a socket's path has room for 107 bytes only.
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clutch-'));
    const socketPath = path.join(folder, 'app.sock');
    const run = await begin(subject, { config: { cluster: { listen: { path: socketPath } } } });
    const { cluster, apps: [app] } = run;
    const child = processes.look(await ask(cluster, app, 'spawnChild', { how: 'stubborn' }));
    cluster.kill('SIGTERM');
    const left = await processes.waitUntilGone(() => [child].filter(processes.isAlive));
    await cluster.exit();
    await cluster.assertNothingLeft();
    fs.rmSync(folder, { recursive: true });
    return { ...run, socketPath, child, left };
  },
}, line => {
  // Version 3 says that it is started at undefined.
  line('4.1.10', ({ cluster, apps }) => {
    for (const pid of apps) assert.match(cluster.stdout, logged(cluster, String.raw`app_worker#\d:${pid} started at -1, remain [01] \(\d+ms\)`));
  }, { of: ({ version, stock }) => version === 2 || !stock });

  line('4.4.1', ({ cluster, socketPath }) => {
    assert.match(cluster.stdout, logged(cluster, String.raw`small started on ${socketPath} \(\d+ms\)`));
    assert.deepEqual(toParent(cluster, 'egg-ready').map(({ data }) => data), [{ port: cluster.options.port, address: socketPath, protocol: 'http' }]);
  });

  line('5.1', ({ cluster }) => assert.equal(toParent(cluster, 'egg-ready').length, 1));

  line('6.7', ({ cluster, child, left }) => {
    assert.ok(cluster.stdout.includes(`[probe] stubborn child ${child.pid} got SIGTERM\n`));
    assert.deepEqual(left, []);
  });
});

scenario('a master that is killed', {
  async start(subject) {
    const run = await begin(subject);
    run.cluster.kill('SIGKILL');
    await run.cluster.exit();
    await run.cluster.assertNothingLeft();
    return run;
  },
}, line => {
  line('6.11', ({ cluster, agent }) => {
    assert.deepEqual(cluster.ended, { code: null, signal: 'SIGKILL' });
    assert.match(cluster.stderr, new RegExp(String.raw` ${agent} \[agent_worker\] exit with code:110\n`));
    assert.doesNotMatch(cluster.stdout + cluster.stderr, /\[master\] (master is killed|send kill|close done|exit with)/);
  });
});
