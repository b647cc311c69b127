'use strict';
// The cluster seen and steered from outside, through the control socket and the admin port.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { act, listen, look, socketPath } = require('../helpers/control');
const { master, startFolder } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get, request } = require('../helpers/http_client');
const { tell } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');

const SETTINGS = { env: { EGG_APP_CLOSE_TIMEOUT: '500', EGG_AGENT_CLOSE_TIMEOUT: '500' } };

const ids = status => status.workers.map(({ id }) => id);

/** A folder with an app of nothing but itself. */
function appFolder(name) {
  const folder = path.join(runFolder(), name);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'app.js'), 'module.exports = app => { app.handle = (req, res) => res.end("served"); };\n');
  return folder;
}

describe('the control socket', () => {
  it('shows the cluster, and takes every verb', async () => {
    const socket = socketPath();
    const cluster = await startFolder('plain', { control: socket }, SETTINGS);
    await until(() => fs.existsSync(socket), 'the control socket');
    assert.equal((await look(socket, 'healthz')).body.alive, true);
    await cluster.ready();
    const events = await listen(socket);

    assert.equal(fs.statSync(socket).mode & 0o777, 0o600);
    assert.deepEqual(await look(socket, 'readyz'), { status: 200, body: { ready: true } });
    const { body: before } = await look(socket, 'status');
    assert.deepEqual({ version: before.version, pid: before.pid, serving: before.serving, ids: ids(before), control: before.control },
      { version: 1, pid: cluster.pid, serving: 2, ids: [1, 2], control: socket });

    assert.deepEqual(await act(socket, 'scale', { workers: 3 }), { status: 200, body: { workers: 3 } });
    assert.deepEqual(await act(socket, 'isolate', { id: 3 }), { status: 200, body: { done: true } });
    assert.equal((await act(socket, 'rejoin', { id: 3 })).status, 200);
    assert.equal((await act(socket, 'restart', { id: 1 })).status, 200);
    assert.equal((await act(socket, 'restart', { id: 'agent' })).status, 200);
    assert.deepEqual(await act(socket, 'reload'), { status: 200, body: { workers: 3, agent: false } });
    const { body: after } = await look(socket, 'status');
    assert.equal(after.serving, 3);
    assert.notEqual(after.agent.pid, before.agent.pid);
    assert.deepEqual(Object.keys((await act(socket, 'stack', { id: 'agent' })).body), ['id', 'pid', 'stack']);
    await until(() => ['worker-ready', 'worker-exited', 'agent-exited', 'reload-started', 'reload-done'].every(type => events.seen.some(event => event.type === type)),
      'what has happened');
    assert.ok(events.seen.find(({ type }) => type === 'worker-exited').data.cause);

    assert.deepEqual(await act(socket, 'stop'), { status: 200, body: { stopped: true, code: 0 } });
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
    assert.ok(!fs.existsSync(socket));
  });

  it('answers what it cannot do with a status, a code and a sentence', async () => {
    const socket = socketPath();
    const cluster = await startFolder('plain', { control: socket, workers: 1 });
    await cluster.ready();
    const [id] = ids((await look(socket, 'status')).body);
    const refused = [
      ['scale', { workers: 0 }, 400, 'ERR_CLUTCH_OPTION'],
      ['scale', { worker: 1 }, 400, 'ERR_CLUTCH_OPTION'],
      ['reload', { agent: 1 }, 400, 'ERR_CLUTCH_OPTION'],
      ['restart', { id: 99 }, 404, 'ERR_CLUTCH_OPTION'],
      ['stack', { id: 99 }, 404, 'ERR_CLUTCH_NO_RECEIVER'],
      ['isolate', { id }, 409, 'ERR_CLUTCH_OPTION'],
      ['rejoin', { id }, 409, 'ERR_CLUTCH_OPTION'],
      ['nothing', {}, 404, 'ERR_CLUTCH_OPTION'],
    ];
    for (const [verb, body, status, code] of refused) {
      const answer = await act(socket, verb, body);
      assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${verb} ${JSON.stringify(body)}`);
      assert.equal(typeof answer.body.error.message, 'string');
    }
    const wrong = await get({ socketPath: socket }, '/reload');
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'POST']);
    const long = await request({ socketPath: socket, method: 'POST', path: '/scale', body: ' '.repeat(5000) });
    assert.equal(long.status, 413);
  });

  it('says that it is not ready while it boots, and why', async () => {
    const socket = socketPath();
    const folder = appFolder('boots_for_ever');
    fs.writeFileSync(path.join(folder, 'agent.js'), 'module.exports = agent => agent.beforeStart(() => new Promise(() => {}));\n');
    await startFolder('plain', { baseDir: folder, control: socket });
    await until(() => fs.existsSync(socket), 'the control socket');
    assert.deepEqual(await look(socket, 'readyz'), { status: 503, body: { ready: false, reason: 'booting' } });
    assert.equal((await act(socket, 'reload')).body.error.code, 'ERR_CLUTCH_CLOSED');
  });

  it('answers while all JavaScript stands still, that of the master as well', async () => {
    const socket = socketPath();
    const cluster = await startFolder('stands_still', { control: socket, stuck: false }, { ...SETTINGS, starter: master('blocks_on_order') });
    await cluster.ready();
    const events = await listen(socket);
    const { body: { agent, workers } } = await look(socket, 'status');
    for (const { pid } of [agent, ...workers]) tell(cluster, pid, 'spinForEver');
    const release = path.join(runFolder(), 'release');
    cluster.send({ action: 'block', data: release });
    await cluster.output(/the master stands still/);
    const whose = [...ids({ workers }), 'agent'];
    await until(async () => {
      const stacks = await Promise.all(whose.map(id => act(socket, 'stack', { id })));
      return stacks.every(({ body }) => /spinForEver/.test(body.stack));
    }, 'everybody to stand still');

    // All of it before anybody is released: the workers never are, and the master at the end.
    assert.equal((await look(socket, 'status')).status, 200);
    for (const id of whose) assert.equal((await act(socket, 'restart', { id, wait: false })).status, 202);
    await until(() => events.seen.filter(({ type }) => type === 'worker-ready').length >= 2, 'new workers for both');
    fs.writeFileSync(release, '');
  });

  it('ends the master as well where its JavaScript stands still, and leaves nothing of it', async () => {
    const socket = socketPath();
    const pidFile = path.join(runFolder(), 'stands-still.pid');
    const cluster = await startFolder('plain', { control: socket, pidFile }, { ...SETTINGS, starter: master('blocks_on_order') });
    await cluster.ready();
    cluster.send({ action: 'block', data: path.join(runFolder(), 'never-there') });
    await cluster.output(/the master stands still/);
    assert.deepEqual((await act(socket, 'stop')).body, { stopped: true, code: 0 });
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
    assert.match(cluster.stdout, /WARN \d+ \[master\] the master's JavaScript stands still and does not exit within 500ms/);
    assert.deepEqual([fs.existsSync(socket), fs.existsSync(pidFile)], [false, false]);
  });

  it('takes the place of a dead master\'s socket, and not of a living one\'s', async () => {
    const socket = socketPath();
    const first = await startFolder('plain', { control: socket });
    await first.ready();
    const second = await startFolder('plain', { control: socket });
    assert.equal((await second.masterExit()).code, 1);
    assert.match(second.stderr, /ERR_CLUTCH_LISTEN/);
    assert.match(second.stderr, /control: another running master listens on .*\.sock/);
    assert.equal((await look(socket, 'status')).body.pid, first.pid);
    first.child.kill('SIGKILL');
    await first.masterExit();
    assert.ok(fs.existsSync(socket));
    const third = await startFolder('plain', { control: socket });
    await third.ready();
    assert.equal((await look(socket, 'status')).body.pid, third.pid);
  });

  it('is below baseDir where nothing is said, and done without where it cannot be there', async () => {
    const folder = appFolder('with_control');
    const socket = path.join(folder, 'run', 'clutch.sock');
    const options = { baseDir: folder, workers: 1 };
    const first = await startFolder('plain', options);
    await first.ready();
    assert.equal((await look(socket, 'status')).body.pid, first.pid);
    const second = await startFolder('plain', options);
    await second.ready();
    await second.output(/WARN.*\[master\] there is no control socket: another running master listens on /);
    await first.stop();
    assert.ok(!fs.existsSync(path.dirname(socket)));

    fs.writeFileSync(path.dirname(socket), 'a file where the directory would be');
    const third = await startFolder('plain', options);
    await third.ready();
    await third.output(/WARN.*\[master\] there is no control socket: the directory .*run cannot be made/);
    fs.rmSync(path.dirname(socket));
  });

  it('can lie deeper than the kernel lets a socket be named', async () => {
    const folder = appFolder(path.join('d'.repeat(100), 'e'.repeat(100)));
    const cluster = await startFolder('plain', { baseDir: folder, workers: 1 });
    await cluster.ready();
    // Node cannot name it either, except by a way that is short.
    const directory = fs.openSync(path.join(folder, 'run'), 'r');
    assert.equal((await look(`/proc/${process.pid}/fd/${directory}/clutch.sock`, 'status')).body.pid, cluster.pid);
    fs.closeSync(directory);
  });

  it('is not there where it is not wanted', async () => {
    const folder = appFolder('without_control');
    const cluster = await startFolder('plain', { baseDir: folder, workers: 1, control: false });
    await cluster.ready();
    assert.deepEqual(fs.readdirSync(folder), ['app.js']);
  });
});

describe('the admin port', () => {
  async function withAdmin(socket) {
    const port = await freePort();
    const cluster = await startFolder('plain', { control: socket, admin: { port } }, SETTINGS);
    await cluster.ready();
    return [port, cluster];
  }

  it('shows the cluster, changes nothing, and is not for pages of other sites', async () => {
    const socket = socketPath();
    const cluster = await startFolder('plain', { control: socket, admin: { port: 0, hosts: ['metrics.example'] } });
    await cluster.ready();
    const { body: { admin } } = await look(socket, 'status');
    const port = Number(new URL(admin).port);
    assert.equal((await look({ port }, 'status')).body.pid, cluster.pid);
    assert.equal((await look({ port }, 'readyz')).status, 200);
    const verb = await request({ port, method: 'POST', path: '/stop', body: '{}' });
    assert.equal(verb.status, 403);
    for (const [headers, status] of [
      [{ Host: 'evil.example' }, 403],
      [{ Host: 'metrics.example' }, 200],
      [{ Origin: 'http://evil.example' }, 403],
      [{ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }, 403],
    ]) assert.equal((await request({ port, path: '/status', headers })).status, status, JSON.stringify(headers));
    const events = await listen({ port });
    assert.equal(events.status, 200);
    events.end();
  });

  it('of the new master is there after an upgrade, and so is its control socket', async () => {
    const socket = socketPath();
    const [port, cluster] = await withAdmin(socket);
    const { status, body } = await act(socket, 'upgrade');
    assert.equal(status, 200, JSON.stringify(body));
    await cluster.masterExit();
    assert.equal((await look(socket, 'status')).body.pid, body.pid);
    await until(async () => (await look({ port }, 'status').catch(() => null))?.body.pid === body.pid, 'the admin port of the new master');
    assert.equal((await act(socket, 'stop')).status, 200);
    await cluster.exit();
    assert.ok(!fs.existsSync(socket));
  });

  it('that is taken is an error that says so', async () => {
    const first = await startFolder('plain', { admin: { port: 0 }, control: socketPath() });
    await first.ready();
    const { body: { admin } } = await look(first.options.control, 'status');
    const second = await startFolder('plain', { admin: { port: Number(new URL(admin).port) }, control: socketPath() });
    assert.equal((await second.masterExit()).code, 1);
    assert.match(second.stderr, /admin: cannot listen on 127\.0\.0\.1:\d+: bind: EADDRINUSE/);
    assert.ok(!fs.existsSync(second.options.control));
  });
});
