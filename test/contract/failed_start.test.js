'use strict';

// What a worker says and does when it cannot start; more of that, and what the master makes of it, is asked in lives/failed_start.js.

const assert = require('node:assert/strict');
const { assertInOrder } = require('../helpers/lines');
const { scenario } = require('./contract');
const { workerLogged } = require('./log');

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

const workerError = text => workerLogged(text, { level: 'ERROR' });
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
      assertInOrder(cluster.stderr, [workerError(String.raw`framework\.CustomError: the ${role} does not like it \[ ${url} \]`), /^code: customPlugin_00$/m]);
      assert.equal(exitCodeOf(cluster, role), 1);
    });
  });
}

scenario('an agent that emits an error while it starts', {
  start: failing({ fault: { role: 'agent', how: 'emit' } }),
}, line => {
  line('3.1.7', cluster => {
    assertFailed(cluster);
    assertInOrder(cluster.stderr, [
      workerError('nodejs.Error: the agent emits an error'),
      workerError(String.raw`\[agent_worker\] start error, exiting with code:1`),
    ]);
    assert.match(cluster.stdout, closes('agent'));
  });
});

scenario('no port and no path anywhere', {
  of: ({ version }) => version === 2,
  start: failing({ config: { cluster: { listen: { port: null } } } }, { port: null }),
}, line => {
  line('3.18', cluster => {
    assertFailed(cluster);
    assert.match(cluster.stderr, workerError(String.raw`\[app_worker\] port should be number, but got null\(object\)`));
    assert.match(cluster.stdout, closes('app'));
  });
});
