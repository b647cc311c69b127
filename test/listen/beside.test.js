'use strict';
// Servers that an app opens in its workers beside the one that it is served by: what is in flight on them is answered as well when their
// worker leaves, by HTTP/1 and by HTTP/2.

const assert = require('node:assert/strict');
const http2 = require('node:http2');
const { once } = require('node:events');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get, Connection } = require('../helpers/http_client');
const { countOf } = require('../helpers/lines');

const SIGNALLED = '[app_worker] receive signal SIGTERM';
const NO_LAST_STREAM = 2 ** 31 - 1;
const FIRST_STREAM = 1;

async function start() {
  const ports = [await freePort(), await freePort()];
  const env = { PORTS_BESIDE: ports.join(), EGG_APP_CLOSE_TIMEOUT: '300000', EGG_APP_WORKER_LOGGER_LEVEL: 'INFO' };
  const cluster = await startFolder('serves_beside', { workers: 1 }, { env });
  await cluster.ready();
  await started(cluster, 0);
  return { cluster, pid: startedPids(cluster)[0], plain: ports[0], modern: ports[1] };
}

/** A client of HTTP/2, and which ends were announced to it. */
async function openSession(port) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const lastStreams = [];
  session.on('goaway', (code, lastStream) => lastStreams.push(`${code} ${lastStream}`));
  await once(session, 'connect');
  return { session, lastStreams, ended: once(session, 'close') };
}

async function ask(session, path) {
  const stream = session.request({ ':path': path }).setEncoding('utf8');
  let body = '';
  stream.on('data', text => { body += text; });
  const [[headers]] = await Promise.all([once(stream, 'response'), once(stream, 'end')]);
  return { status: headers[':status'], body };
}

function taken(cluster, count) {
  return cluster.waitFor(() => countOf(cluster.stdout, ' /held\n') >= count, { what: `${count} requests that are held` });
}

function signalled(cluster) {
  return cluster.waitFor(() => cluster.stdout.includes(SIGNALLED), { what: 'a worker that was asked to leave' });
}

describe('servers beside that of the app', () => {
  it('answer what they have when the cluster stops, the last on its connection, and are closed by the app itself', async () => {
    const { cluster, pid, plain } = await start();
    const kept = new Connection(plain);
    assert.equal((await kept.get('/')).headers.connection, 'keep-alive');
    const held = get({ port: plain, agent: undefined }, '/held');
    await taken(cluster, 1);
    cluster.kill('SIGTERM');
    await signalled(cluster);
    process.kill(pid, 'SIGUSR2');
    const { status, body, headers } = await held;
    assert.deepEqual([status, body, headers.connection], [200, String(pid), 'close']);
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.ok(cluster.stdout.includes(`closed ${pid}\n`));
    kept.close();
  });

  it('end streams of HTTP/2 in order: GOAWAY without a last stream, then with it, and no stream is cut', async () => {
    const { cluster, pid, modern } = await start();
    const { session, lastStreams, ended } = await openSession(modern);
    const idle = await openSession(modern);
    const held = ask(session, '/held');
    await taken(cluster, 1);
    cluster.kill('SIGTERM');
    await idle.ended;
    process.kill(pid, 'SIGUSR2');
    assert.deepEqual(await held, { status: 200, body: String(pid) });
    await ended;
    // Node says the last one again when it ends the session.
    assert.deepEqual([...new Set(lastStreams)], [`0 ${NO_LAST_STREAM}`, `0 ${FIRST_STREAM}`]);
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.ok(cluster.stdout.includes(`closed ${pid}\n`));
  });

  it('are drained in a reload as well, while the successors listen on the same ports', async () => {
    const { cluster, pid, plain, modern } = await start();
    const { session } = await openSession(modern);
    const held = [ask(session, '/held'), get({ port: plain, agent: undefined }, '/held')];
    await taken(cluster, 2);
    cluster.kill('SIGHUP');
    const successor = await started(cluster, 1);
    await signalled(cluster);
    process.kill(pid, 'SIGUSR2');
    for (const { status, body } of await Promise.all(held)) assert.deepEqual([status, body], [200, String(pid)]);
    assert.equal((await get({ port: plain, agent: undefined }, '/')).body, String(successor));
    const again = await openSession(modern);
    assert.deepEqual(await ask(again.session, '/'), { status: 200, body: String(successor) });
    again.session.close();
    await again.ended;
  });
});
