'use strict';

// The order of a start, and how what the workers load may look.

const assert = require('node:assert/strict');
const path = require('node:path');
const { freePort } = require('../helpers/free_port');
const { ask, told } = require('../helpers/probe');
const { scenario } = require('./contract');

const FIXTURES = path.join(__dirname, '..', 'fixtures');
const MODULE_FRAMEWORK = path.join(FIXTURES, 'frameworks', 'small_as_module');
const preload = name => path.join(FIXTURES, 'preloads', name);

/** What the workers have said so far has been heard: the way there and back goes through the master. */
async function hearOut(cluster, ...pids) {
  for (const pid of pids) await ask(cluster, pid, 'facts');
}

const isReady = cluster => cluster.messages.some(({ action }) => action === 'egg-ready');

scenario('a start whose agent and apps take their time', {
  async start(subject) {
    const cluster = await subject.start({}, { fault: [{ role: 'agent', how: 'hold' }, { role: 'app', how: 'hold' }] });
    await told(cluster, 'probe-fault');
    return cluster;
  },
}, (line, step) => {
  line('3.2', async cluster => {
    await hearOut(cluster, cluster.agentPid());
    assert.deepEqual(cluster.workers().map(({ role }) => role), ['agent']);
    assert.doesNotMatch(cluster.stdout, /app_worker/);
  });

  line('3.1.9', async cluster => assert.equal(await ask(cluster, cluster.agentPid(), 'listenerCount', 'error'), 1));

  step('the agent goes on', async cluster => {
    await ask(cluster, cluster.agentPid(), 'go');
    await told(cluster, 'probe-fault', { index: 2 });
    cluster.apps = cluster.appPids();
  }, (line, step) => {
    line('3.2', async cluster => {
      assert.equal(cluster.apps.length, 2);
      assert.match(cluster.stdout, /agent_worker#1:\d+ started \(\d+ms\)[^]*app_worker#1:\d+ start, [^]*app_worker#2:\d+ start, /);
      assert.doesNotMatch(cluster.stdout, /app_worker#\d:\d+ started/);
      await hearOut(cluster, ...cluster.apps);
      assert.ok(!isReady(cluster));
    });

    line('3.1.9', async cluster => {
      assert.equal(await ask(cluster, cluster.agentPid(), 'listenerCount', 'error'), 0);
      for (const pid of cluster.apps) assert.equal(await ask(cluster, pid, 'listenerCount', 'startTimeout'), 1);
    });

    step('one app goes on', async cluster => {
      await ask(cluster, cluster.apps[0], 'go');
      await cluster.output(/app_worker#\d:\d+ started at/);
    }, (line, step) => {
      line('3.2', async cluster => {
        await hearOut(cluster, ...cluster.apps);
        assert.ok(!isReady(cluster));
      });

      step('the other goes on', async cluster => {
        await ask(cluster, cluster.apps[1], 'go');
        await cluster.ready();
      }, line => {
        line('3.2', cluster => {
          assert.match(cluster.stdout, /app_worker#\d:\d+ started at \d+, remain 1 [^]*app_worker#\d:\d+ started at \d+, remain 0 /);
          assert.deepEqual(cluster.appPids(), cluster.apps);
        });

        line('3.1.9', async cluster => {
          for (const pid of cluster.apps) {
            for (const event of ['error', 'startTimeout']) assert.equal(await ask(cluster, pid, 'listenerCount', event), 0);
          }
        });
      });
    });
  });
});

scenario('a framework and modules to require that are ES modules, and need a loader', {
  of: ({ version }) => version === 3,
  async start(subject) {
    const { packageDir } = await subject.lay();
    const cluster = await subject.start({ framework: MODULE_FRAMEWORK, require: [preload('as_module.mjs'), preload('first.js')], workers: 1 }, {
      entry: packageDir,
      starter: path.join(FIXTURES, 'masters', 'imports_its_layer.mjs'),
      env: { NODE_OPTIONS: `--import=${path.join(MODULE_FRAMEWORK, 'loader.mjs')}` },
    });
    await cluster.ready();
    return cluster;
  },
}, line => {
  line('3.13', async cluster => {
    for (const pid of [cluster.agentPid(), ...cluster.appPids()]) {
      // `small` itself is loaded on the way.
      assert.deepEqual((await ask(cluster, pid, 'preloaded')).modules, ['module', 'first', 'framework', 'framework by the loader']);
    }
  });
});

scenario('an app that takes the port out of its options while it starts', {
  start: async subject => {
    const port = await freePort();
    const cluster = await subject.start({ workers: 1 }, {
      // egg-cluster reads the port when the app is constructed, @eggjs/cluster when it is ready.
      config: { cluster: { listen: { port } }, clearPortWhen: subject.version === 2 ? 'constructed' : 'loaded' },
    });
    return { cluster, port, ready: await cluster.ready() };
  },
}, line => {
  line('3.15', async ({ cluster, port, ready }) => {
    assert.notEqual(cluster.options.port, port);
    assert.equal(ready.port, port);
    assert.deepEqual(await ask(cluster, cluster.appPids()[0], 'portInOptions'), [port, port]);
  });
});
