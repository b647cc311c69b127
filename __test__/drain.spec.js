'use strict';
// How long kept connections are left to clients that say nothing: a request that comes meanwhile is answered as the last one.

const http = require('node:http');
const { EventEmitter, once } = require('node:events');
const { ServerDrain, drainServers } = require('../lib/worker/drain');

const PATIENT_MS = 60000;

/** A worker's process whose master answers at once. */
function workerProcess(leisurely) {
  const proc = new EventEmitter();
  proc.connected = true;
  proc.send = () => process.nextTick(() => proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'drained', leisurely }));
  return proc;
}

/** A server with one kept connection that is idle. */
async function keptConnection() {
  const server = http.createServer((request, response) => response.end('answered'));
  const drain = new ServerDrain(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = server.address();
  async function ask() {
    const [response] = await once(http.get({ port, host: '127.0.0.1', agent }), 'response');
    response.resume();
    await once(response, 'end');
    return { connection: response.headers.connection, localPort: response.socket?.localPort };
  }
  let closed = false;
  server.once('connection', socket => socket.once('close', () => { closed = true; }));
  await ask();
  return { drain, ask, isClosed: () => closed, end: () => agent.destroy() };
}

function leave({ drain }, settings, leisurely) {
  return drainServers([drain], { limitMs: PATIENT_MS, ...settings, proc: workerProcess(leisurely) });
}

test('where others serve it is long after the end of that in a stop', async () => {
  const [swift, leisurely] = [await keptConnection(), await keptConnection()];
  const ends = [leave(swift, {}, undefined), leave(leisurely, {}, true)];
  await ends[0];
  expect([swift.isClosed(), leisurely.isClosed()]).toEqual([true, false]);
  expect((await leisurely.ask()).connection).toBe('close');
  await ends[1];
  swift.end();
  leisurely.end();
});

test('it is cut short where a stop begins meanwhile, and an explicit one is not', async () => {
  const [hurried, leisurely, explicit] = [await keptConnection(), await keptConnection(), await keptConnection()];
  const procs = [workerProcess(true), workerProcess(true), workerProcess(true)];
  const ends = [
    drainServers([hurried.drain], { limitMs: PATIENT_MS, proc: procs[0] }),
    drainServers([leisurely.drain], { limitMs: PATIENT_MS, proc: procs[1] }),
    drainServers([explicit.drain], { limitMs: PATIENT_MS, lingerMs: PATIENT_MS, proc: procs[2] }),
  ];
  // The answers of their masters come in this turn, and what follows in the next.
  await new Promise(setImmediate);
  for (const proc of [procs[0], procs[2]]) proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'drained' });
  await ends[0];
  expect([hurried, leisurely, explicit].map(({ isClosed }) => isClosed())).toEqual([true, false, false]);
  for (const { ask } of [leisurely, explicit]) expect((await ask()).connection).toBe('close');
  await Promise.all(ends);
  expect(procs.map(proc => proc.listenerCount('internalMessage'))).toEqual([0, 0, 0]);
  for (const kept of [hurried, leisurely, explicit]) kept.end();
});

test('it ends by itself at last where nobody asks, within the time for all of it', async () => {
  const kept = await keptConnection();
  await leave(kept, { limitMs: 400 }, true);
  expect(kept.isClosed()).toBe(true);
  kept.end();
});

test('an explicit one holds for both', async () => {
  const [short, long] = [await keptConnection(), await keptConnection()];
  const ends = [leave(short, { lingerMs: 20 }, true), leave(long, { lingerMs: PATIENT_MS }, undefined)];
  await ends[0];
  expect([short.isClosed(), long.isClosed()]).toEqual([true, false]);
  expect((await long.ask()).connection).toBe('close');
  await ends[1];
  short.end();
  long.end();
});
