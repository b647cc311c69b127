'use strict';

// What a worker says and does when it cannot start. What the master makes of it is asked elsewhere.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { assertInOrder, countOf } = require('../helpers/lines');
const { scenario } = require('./contract');

/** A start of one app that fails: resolves when all is over. */
function failing(settings, options = {}) {
  return async subject => {
    const cluster = await subject.start({ workers: 1, ...options }, settings);
    await cluster.exit();
    return cluster;
  };
}

function assertFailed(cluster) {
  assert.deepEqual(cluster.ended, { code: 1, signal: null });
  assert.ok(!cluster.messages.some(({ action }) => action === 'egg-ready'));
}

/** The line of a worker's logger; errors go to stderr. */
const errorLine = text => new RegExp(String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR \d+ ${text}$`, 'm');

const STARTED_AGENT = /agent_worker#1:\d+ started/;
const closes = role => new RegExp(String.raw`\[probe\] ${role} \d+ closes`);

/** The number in the died line of a worker; egg-cluster knows no code of an app, but its fork library does. */
function exitCodeOf(cluster, role) {
  const died = role === 'agent' ? /agent_worker#1:\d+ died \(code: (\w+), signal: null/ : /\[cfork:master:\d+\] worker:\d+ exit \(code: (\w+),/;
  return Number((died.exec(cluster.stderr) ?? died.exec(cluster.stdout))[1]);
}

for (const role of ['agent', 'app']) {
  scenario(`an ${role} that throws an error of egg while it is loaded`, {
    start: failing({ fault: { role, how: 'throwFrameworkError' } }),
  }, line => {
    line('3.14', cluster => {
      assertFailed(cluster);
      const url = 'https://eggjs.org/zh-cn/faq/customPlugin_00';
      assertInOrder(cluster.stderr, [errorLine(String.raw`framework\.CustomError: the ${role} does not like it \[ ${url} \]`), /^code: customPlugin_00$/m]);
      assert.equal(exitCodeOf(cluster, role), 1);
    });
  });

  scenario(`an ${role} that cannot get ready`, {
    start: failing({ fault: { role, how: 'reject' } }),
  }, line => {
    line('3.1.7', cluster => {
      assertFailed(cluster);
      assertInOrder(cluster.stderr, [
        errorLine(`nodejs.Error: the ${role} cannot get ready`),
        errorLine(String.raw`\[${role}_worker\] start error, exiting with code:1`),
      ]);
      assert.match(cluster.stdout, closes(role));
      assert.equal(STARTED_AGENT.test(cluster.stdout), role === 'app');
    });
  });
}

scenario('an agent that emits an error while it starts', {
  start: failing({ fault: { role: 'agent', how: 'emit' } }),
}, line => {
  line('3.1.7', cluster => {
    assertFailed(cluster);
    assertInOrder(cluster.stderr, [
      errorLine('nodejs.Error: the agent emits an error'),
      errorLine(String.raw`\[agent_worker\] start error, exiting with code:1`),
    ]);
    assert.match(cluster.stdout, closes('agent'));
  });
});

scenario('an app that is not ready in time', {
  start: failing({ fault: { role: 'app', how: 'hang' }, config: { workerStartTimeout: 200 } }),
}, line => {
  line('3.1.8', cluster => {
    assertFailed(cluster);
    assert.match(cluster.stderr, errorLine(String.raw`\[app_worker\] start timeout, exiting with code:1`));
    assert.match(cluster.stdout, closes('app'));
  });
});

scenario('a port that is in use', {
  async start(subject) {
    const other = http.createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address();
    try {
      return await failing({}, { port })(subject);
    } finally {
      other.close();
    }
  },
}, line => {
  line('3.17', cluster => {
    assertFailed(cluster);
    const { port } = cluster.options;
    assert.match(cluster.stderr, errorLine(String.raw`\[app_worker\] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE`));
    assert.equal(countOf(cluster.stderr, 'server got error'), 1);
    assert.match(cluster.stdout, closes('app'));
  });
});

scenario('no port and no path anywhere', {
  of: ({ version }) => version === 2,
  start: failing({ config: { cluster: { listen: { port: null } } } }, { port: null }),
}, line => {
  line('3.18', cluster => {
    assertFailed(cluster);
    assert.match(cluster.stderr, errorLine(String.raw`\[app_worker\] port should be number, but got null\(object\)`));
    assert.match(cluster.stdout, closes('app'));
  });
});
