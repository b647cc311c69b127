'use strict';

// The ways in which a master is started by its caller.

const assert = require('node:assert/strict');
const path = require('node:path');
const { getJson } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const { Subject } = require('./shared/subject');

const subject = new Subject('embedded');
const starter = file => path.join(__dirname, '..', 'fixtures', 'masters', file);
const messages = (cluster, action) => cluster.messages.filter(message => message.action === action).map(({ data }) => data);

describe('startCluster', () => {
  it('returns at once and calls back once, without an error, when the cluster is ready', async () => {
    const cluster = await subject.start({}, { starter: starter('with_callback.js') });
    assert.deepEqual((await cluster.message('returned')).data, { isPromise: true, kind: 'AsyncFunction' });
    const { address } = await cluster.ready();
    const actions = cluster.messages.map(({ action }) => action);
    assert.ok(actions.indexOf('returned') < actions.indexOf('egg-ready'), `${actions}`);
    assert.deepEqual((await cluster.message('resolved')).data, { pid: cluster.pid, address });
    assert.deepEqual((await cluster.message('called back')).data, { error: null });
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.equal(messages(cluster, 'called back').length, 1);
    assert.equal(cluster.stderr, '');
  });

  it("gives the master a messenger of its own, which workers reach by 'master' and by its pid", async () => {
    const cluster = await subject.start({}, { starter: starter('with_callback.js') });
    await cluster.ready();
    const [app] = cluster.appPids();
    await ask(cluster, app, 'send', { method: 'send', args: ['question', { pid: app, about: 'to' }, 'master'] });
    await ask(cluster, app, 'send', { method: 'sendTo', args: [cluster.pid, 'question', { pid: app, about: 'pid' }] });
    assert.deepEqual(await ask(cluster, app, 'when', { action: 'news', count: 2 }), [
      { about: 'to', answeredBy: cluster.pid },
      { about: 'pid', answeredBy: cluster.pid },
    ]);
  });

  it('calls back once, with the error, and exits with 1 when the cluster does not get ready', async () => {
    const cluster = await subject.start({}, { starter: starter('with_callback.js'), fault: { role: 'agent', how: 'throw' } });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    const [error, ...more] = messages(cluster, 'called back');
    assert.equal(error.code, 'ERR_CLUTCH_BOOT');
    assert.deepEqual(more, []);
    assert.deepEqual(messages(cluster, 'resolved'), []);
  });

  it('can be imported by an ES module', async () => {
    const cluster = await subject.start({}, { starter: starter('as_module.mjs') });
    const { address, port } = await cluster.ready();
    assert.deepEqual((await cluster.message('resolved')).data, { address, workers: 2, hasMessenger: 'function' });
    assert.ok(cluster.appPids().includes((await getJson(port)).pid));
  });

  for (const [name, value, says] of [
    ['workers', 'many', 'options.workers must be'],
    ['port', 70000, 'options.port must be'],
    ['https', { key: '/no/such/key', cert: '/no/such/cert' }, 'options.https.key'],
    ['baseDir', '/no/such/app', '/no/such/app/package.json should exist'],
  ]) {
    it(`ends a plain caller's process with 1 and says why if options.${name} is wrong, before anything is forked`, async () => {
      const cluster = await subject.start({ baseDir: (await subject.lay()).baseDir, [name]: value });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assert.ok(cluster.stderr.includes(says), cluster.stderr);
      assert.equal(cluster.stdout, '');
    });
  }
});
