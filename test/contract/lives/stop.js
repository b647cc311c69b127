'use strict';

// Stops in which somebody does not leave when asked, and the master that cannot ask any more.

const assert = require('node:assert/strict');
const { assertInOrder } = require('../../helpers/lines');
const { ask } = require('../../helpers/probe');
const processes = require('../../helpers/processes');
const { scenario } = require('../contract');
const { turnPage } = require('../life');
const { logged } = require('../log');

const GONE_WITHIN_MS = 8000;

async function begin(subject, { env, config } = {}) {
  const cluster = await subject.start({}, { env, config });
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

scenario('a stop with a time-out for all', {
  async start(subject) {
    const run = await begin(subject, { env: { EGG_MASTER_CLOSE_TIMEOUT: '700' }, config: { cluster: { listen: { hostname: '127.0.0.2' } } } });
    const { cluster, apps: [, hanging] } = run;
    await ask(cluster, hanging, 'hangAtClose');
    cluster.kill('SIGTERM');
    await cluster.exit();
    await cluster.assertNothingLeft();
    return run;
  },
}, line => {
  line('4.4.1', ({ cluster }) => {
    const [{ data }] = cluster.messages.filter(({ action }) => action === 'egg-ready');
    assert.equal(data.address, `http://127.0.0.2:${cluster.options.port}`);
  });

  line('6.3', ({ cluster }) => {
    assertInOrder(cluster.stdout, [
      'to app workers, will exit with code:0 after 700ms\n', '[master] wait 700ms\n',
      'to agent worker, will exit with code:0 after 700ms\n', '[master] wait 700ms\n',
    ]);
    assert.deepEqual(cluster.ended, { code: 0, signal: null });
  });
});

scenario('a descendant that ignores SIGTERM, with the default time-outs', {
  async start(subject) {
    const run = await begin(subject);
    const { cluster, apps: [app] } = run;
    run.child = processes.look(await ask(cluster, app, 'spawnChild', { how: 'stubborn' }));
    cluster.kill('SIGTERM');
    run.left = await processes.waitUntilGone(() => [run.child].filter(processes.isAlive), GONE_WITHIN_MS);
    await cluster.exit();
    await cluster.assertNothingLeft();
    return run;
  },
}, line => {
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
