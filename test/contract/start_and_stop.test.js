'use strict';

const assert = require('node:assert/strict');
const { ask } = require('../helpers/probe');
const { scenario } = require('./contract');

scenario('a cluster in production from its start to its stop', {
  async start(subject) {
    const cluster = await subject.start({ title: 'a title', foo: true }, { env: { NODE_ENV: 'production' } });
    await cluster.ready();
    return cluster;
  },
}, (line, step) => {
  line('3.1', cluster => {
    const workers = cluster.workers();
    assert.deepEqual(workers.map(({ role }) => role).sort(), ['agent', 'app', 'app']);
  });

  line('3.4', cluster => {
    for (const { argv } of cluster.workers()) {
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
  });
});
