'use strict';
// Reloads under clients of every kind: short, kept, pipelined, slow, uploading in chunks, TLS, upgraded, by a unix socket. Counts what was
// lost, and looks every 10 ms whether as many workers serve as should.

const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { setTimeout: pause } = require('node:timers/promises');
const { request, Connection } = require('./http_client');
const { freePort } = require('./free_port');
const { runFolder } = require('./run_folder');
const { startSteerable, steer } = require('./steering');

const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const SAMPLE_MS = 10;
const WORKERS = 3;
const WATCHDOG_MS = 40000;

function expect(actual, expected) {
  if (actual !== expected) throw new Error(`answered '${actual}', not '${expected}'`);
}

async function ask(where, url = '/') {
  expect((await request({ path: url, ...where })).body, `${url} 0`);
}

async function upload(where) {
  const sent = http.request({ host: '127.0.0.1', method: 'POST', path: '/up', agent: false, ...where });
  const answered = once(sent, 'response');
  answered.catch(() => {});
  for (let part = 0; part < 5; part += 1) {
    sent.write('x'.repeat(1000));
    await pause(20);
  }
  sent.end();
  const [response] = await answered;
  let text = '';
  for await (const chunk of response) text += chunk;
  expect(text, '/up 5000');
}

/** What comes back on one connection until it ends or has what `isComplete` wants. */
async function exchange(where, texts, isComplete) {
  const socket = net.connect({ host: '127.0.0.1', ...where });
  let received = '';
  socket.setTimeout(WATCHDOG_MS, () => socket.destroy(new Error(`hung after '${received}'`)));
  const over = new Promise((resolve, reject) => {
    socket.setEncoding('latin1').on('data', text => {
      received += text;
      if (isComplete(received)) resolve();
    });
    socket.on('close', resolve);
    socket.on('error', reject);
  });
  over.catch(() => {});
  try {
    for (const text of texts) {
      socket.write(text);
      if (texts.length > 1) await pause(20);
    }
    await over;
  } finally {
    socket.destroy();
  }
  return received;
}

/** Three requests at once. Those behind an answer that says `Connection: close` have not been taken, and are none that was lost. */
async function pipeline(where) {
  const get = 'GET /p HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const received = await exchange(where, [get.repeat(3)], text => text.split('/p 0').length > 3);
  const answers = received.split('/p 0').length - 1;
  if (answers < 3 && !(answers > 0 && /connection: close/i.test(received))) throw new Error(`${answers} answers: ${received}`);
}

async function upgrade(where) {
  const words = Array.from({ length: 4 }, (_, index) => `word${index};`);
  const head = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
  const received = await exchange(where, [head, ...words], text => text.endsWith(words.join('')));
  if (!received.endsWith(words.join(''))) throw new Error(`echoed ${received}`);
}

class Soak {
  answered = {};
  failures = [];
  stopping = false;
  #loops = [];

  /** Goes on until it is stopped; a failure is written down and does not end it. */
  run(kind, act, clients = 2) {
    this.answered[kind] = 0;
    for (let client = 0; client < clients; client += 1) {
      this.#loops.push((async () => {
        while (!this.stopping) {
          try {
            await act(client);
            this.answered[kind] += 1;
          } catch (error) {
            this.failures.push(`${kind}: ${error.code ?? ''} ${error.message}`);
            if (this.failures.length > 1000) return;
          }
        }
      })());
    }
  }

  /** How many requests were answered or have failed. */
  sum() {
    return Object.values(this.answered).reduce((all, count) => all + count, this.failures.length);
  }

  async stop() {
    this.stopping = true;
    await Promise.all(this.#loops);
  }
}

/** Looks again and again whether as many serve as should; resolves to { samples, below } when it is told to stop. */
async function watchCapacity(cluster, until) {
  let samples = 0;
  let below = 0;
  while (!until.over) {
    const { serving, target } = await steer(cluster, 'status');
    samples += 1;
    below += Number(serving < target);
    await pause(SAMPLE_MS);
  }
  return { samples, below };
}

/**
 * Two clusters under clients of every kind: one by ports, TLS and plain, the other by a unix socket. `options` and `env` go to both.
 * @returns {Promise<{ clusters: object[], ports: { port: number, securePort: number }, socketPath: string, end: () => Promise<object> }>}
 *   end() stops the clients and resolves to { answered, failures }
 */
async function underLoad(options = {}, env = {}) {
  const [securePort, port] = [await freePort(), await freePort()];
  const socketPath = path.join(runFolder(), `soak-${port}.sock`);
  const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
  const byPort = await startSteerable('serves_all_kinds', { https, port: securePort, debugPort: port, workers: WORKERS, ...options }, { env });
  const byPath = await startSteerable('serves_all_kinds', { port: undefined, workers: 2, ...options, pidFile: undefined }, { env: { ...env, LISTEN_PATH: socketPath } });
  const soak = new Soak();
  const kept = [new Connection(port), new Connection(port)];
  soak.run('short', () => ask({ port }));
  soak.run('kept', async client => {
    await ask({ port, agent: kept[client].agent });
    await pause(5);
  });
  soak.run('pipelined', () => pipeline({ port }));
  soak.run('slow', () => ask({ port }, '/slow'));
  soak.run('uploading', () => upload({ port }));
  soak.run('TLS', () => ask({ port: securePort, https: true }), 1);
  soak.run('upgraded', () => upgrade({ path: socketPath }));
  soak.run('unix socket', () => ask({ socketPath }));
  const end = async () => {
    await soak.stop();
    for (const connection of kept) connection.close();
    return { answered: soak.answered, failures: soak.failures };
  };
  return { clusters: [byPort, byPath], ports: { port, securePort }, socketPath, soak, end };
}

/**
 * @param {number} reloads how many, at least
 * @param {number} requests how many, at least: reloads go on until then
 * @returns {Promise<{ answered: Record<string, number>, failures: string[], reloads: number, samples: number, below: number }>}
 */
async function soakReloads(reloads, requests) {
  const { clusters, soak, end } = await underLoad();
  const until = { over: false };
  const capacity = clusters.map(cluster => watchCapacity(cluster, until));
  let done = 0;
  for (; done < reloads || soak.sum() < requests; done += 1) {
    await Promise.all(clusters.map(cluster => steer(cluster, 'reload')));
  }
  const account = await end();
  until.over = true;
  const looks = await Promise.all(capacity);
  const sum = name => looks.reduce((all, look) => all + look[name], 0);
  return { ...account, reloads: done, samples: sum('samples'), below: sum('below') };
}

module.exports = { soakReloads, underLoad };
