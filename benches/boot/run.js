'use strict';

// npm run bench:boot [-- --rounds 10]
//
// How long a place is empty after kill -9 of its worker, beside how long the same worker of the same egg 3 app boots by itself: forked by
// Node's cluster module, with nothing else around. Then the same with a spare. In turn, so that what else runs on the machine hits both.

const cluster = require('node:cluster');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const { parseArgs } = require('node:util');

const { freePort } = require('../../test/helpers/free_port');
const { installedApp } = require('../../test/helpers/installed_app');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } });
const ENV = { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production' };
const now = () => performance.now();

/** With the options of a worker of a running cluster, whose agent egg's own plugins wait for. */
async function bareBoot(app, pid, port) {
  const given = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').find(argument => argument.startsWith('{'));
  const options = { ...JSON.parse(given), port };
  cluster.setupPrimary({ exec: require.resolve(`${app.packageDir}/lib/app_worker.js`), args: [JSON.stringify(options)], silent: true });
  const began = now();
  const worker = cluster.fork(ENV);
  await once(worker, 'listening');
  const took = now() - began;
  worker.process.kill('SIGKILL');
  await once(worker, 'exit');
  return took;
}

function ask(port) {
  return new Promise(resolve => {
    http.get({ port, host: '127.0.0.1', agent: false }, response => {
      response.resume().once('end', () => resolve(response.statusCode === 200));
    }).on('error', () => resolve(false));
  });
}

class Running {
  static async start(app, options) {
    const port = await freePort();
    const given = { ...options, framework: app.entry, baseDir: app.baseDir, workers: 1, port, restart: { healthyAfter: 0, intensity: [10000, '60s'] } };
    const child = fork(`${__dirname}/start.js`, [app.entry, JSON.stringify(given)], { env: ENV, silent: true });
    const running = new Running(child, port);
    await running.next('ready');
    return running;
  }

  constructor(child, port) {
    Object.assign(this, { child, port, heard: [] });
    child.on('message', message => this.heard.push({ ...message, at: now() }));
  }

  async next(event) {
    for (;;) {
      const at = this.heard.findIndex(message => message.event === event);
      if (at >= 0) return this.heard.splice(0, at + 1).at(-1);
      await once(this.child, 'message');
    }
  }

  /** From the kill to the first answer, and to the news that somebody is in service again. */
  async recovery(pid) {
    const began = now();
    process.kill(pid, 'SIGKILL');
    let answered = false;
    // What is in the hands of the dead fails at once; what comes later waits for the successor.
    while (!answered) answered = await ask(this.port);
    const answer = now() - began;
    const { pid: successor, at } = await this.next('worker-ready');
    return { answer, inService: at - began, pid: successor };
  }

  async stop() {
    this.child.kill();
    await once(this.child, 'exit');
  }
}

const median = list => [...list].sort((a, b) => a - b)[list.length >> 1];
const range = list => `${Math.min(...list).toFixed(0)} to ${Math.max(...list).toFixed(0)}`;
const told = (name, list) => console.log(`${name.padEnd(34)} ${median(list).toFixed(0).padStart(6)} ms   (${range(list)})`);

async function main() {
  const app = await installedApp('egg3');
  const barePort = await freePort();
  const bare = [];
  const alone = [];
  const plain = await Running.start(app, {});
  let { pid } = await plain.next('worker-ready');
  for (let round = 0; round < Number(values.rounds); round++) {
    bare.push(await bareBoot(app, pid, barePort));
    const recovery = await plain.recovery(pid);
    alone.push(recovery.answer);
    ({ pid } = recovery);
  }
  await plain.stop();
  const spare = [];
  const spared = await Running.start(app, { spare: 1 });
  ({ pid } = await spared.next('worker-ready'));
  for (let round = 0; round < Number(values.rounds); round++) {
    await spared.next('spare-ready');
    const recovery = await spared.recovery(pid);
    spare.push(recovery);
    ({ pid } = recovery);
  }
  await spared.stop();
  told('boot by itself', bare);
  told('from kill -9 to an answer', alone);
  told('the same with a spare', spare.map(({ answer }) => answer));
  told('until the spare is in service', spare.map(({ inService }) => inService));
  const ratios = alone.map((took, round) => took / bare[round]);
  console.log(`ratio of the first two ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
