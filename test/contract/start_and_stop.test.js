'use strict';

const assert = require('node:assert/strict');
const { assertInOrder } = require('../helpers/lines');
const { ask } = require('../helpers/probe');
const { scenario } = require('./contract');
const { workerLogged } = require('./log');

// Where the stop commands of egg's tools look for the workers.
const SCRIPTS = { 2: /\/egg-cluster\/lib\/(agent|app)_worker\.js$/, 3: /\/@eggjs\/cluster\/dist\/commonjs\/(agent|app)_worker\.js$/ };

scenario('a cluster in production from its start to its stop', {
  async start(subject) {
    const cluster = await subject.start({ title: 'a title', foo: true }, { env: { NODE_ENV: 'production' } });
    await cluster.ready();
    return Object.assign(cluster, { started: cluster.workers() });
  },
}, (line, step) => {
  line('2.19', async cluster => {
    for (const { pid } of cluster.started) assert.equal((await ask(cluster, pid, 'facts')).env.NO_DEPRECATION, '*');
  });

  line('3.4', (cluster, { version }) => {
    for (const { argv } of cluster.started) {
      assert.match(argv.at(-2), SCRIPTS[version]);
      assert.match(argv.at(-1), /"title":"a title"/);
      assert.ok(argv.at(-1).includes(`"baseDir":"${cluster.options.baseDir}`), argv.at(-1));
    }
  });

  line('4.2.15', cluster => {
    const { port } = cluster.options;
    const sent = cluster.messages.filter(({ action }) => action === 'egg-ready');
    assert.deepEqual(sent.map(({ data }) => data), [{ port, address: `http://127.0.0.1:${port}`, protocol: 'http' }]);
  });

  line('4.2.17', async cluster => {
    const [options] = await ask(cluster, cluster.agentPid(), 'when', { action: 'egg-ready' });
    assert.equal(options.workers, 2);
  });

  step('SIGTERM', cluster => cluster.stop('SIGTERM'), line => {
    line('6.10', cluster => assert.deepEqual(cluster.ended, { code: 0, signal: null }));
    line('1.8', cluster => assert.equal(cluster.stderr, ''));
    line('3.1.5', cluster => assert.doesNotMatch(cluster.stdout, /receive disconnect event/));

    line('3.1.1', cluster => {
      for (const { pid, role } of cluster.started) {
        assertInOrder(cluster.stdout, [
          workerLogged(String.raw`\[${role}_worker\] receive signal SIGTERM, exiting with code:0`, { pid }),
          `[probe] ${role} ${pid} closes\n`,
          workerLogged(String.raw`\[${role}_worker\] beforeExit success`, { pid }),
          workerLogged(String.raw`\[${role}_worker\] exit with code:0`, { pid }),
        ]);
      }
    });

    line('3.1.3', cluster => {
      for (const { pid, role } of cluster.started) assert.match(cluster.stdout, workerLogged(String.raw`\[${role}_worker\] exit with code:0`, { pid }));
    });
  });
});
