'use strict';

// npm run bench:http [-- --only a,b --rounds 5 --seconds 3 --workers 2]
//
// Subjects in turn, round after round, so that what else runs on the machine hits all alike. Ratios are to `reuse-port` of the same
// round: the median over the rounds, and the range. CPU is that of all processes of a subject, from /proc. wrk does the asking.

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { execFile, spawn } = require('node:child_process');
const { parseArgs, promisify } = require('node:util');

const { SUBJECTS } = require('./subjects');

const REFERENCE = 'reuse-port';
const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100;
const run = promisify(execFile);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
    spread: { type: 'string', default: '4' },
    json: { type: 'string' },
  },
});
const names = values.only ? [...new Set([REFERENCE, ...values.only.split(',')])] : Object.keys(SUBJECTS);

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject).listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function start(name, workers) {
  const port = await freePort();
  const { command: [program, ...args], env } = SUBJECTS[name]();
  const child = spawn(program, args, {
    env: { ...process.env, ...env, PORT: String(port), WORKERS: String(workers), EGG_HOME: '/tmp' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', code => reject(new Error(`${name} ended with ${code}:\n${text}`)));
    child.stdout.setEncoding('utf8').on('data', chunk => {
      text += chunk;
      if (/^ready$/m.test(text)) resolve();
    });
  });
  return { child, port };
}

async function stop({ child }) {
  const exited = new Promise(resolve => child.removeAllListeners('exit').once('exit', resolve));
  child.kill(child.spawnfile === 'python3' ? 'SIGINT' : 'SIGTERM');
  await exited;
}

function tree(root) {
  const children = new Map();
  for (const name of fs.readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    try {
      const fields = fs.readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      const parent = Number(fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), { pid: Number(name), ticks: Number(fields[11]) + Number(fields[12]) }]);
    } catch {
      // It has ended.
    }
  }
  const all = [...children.values()].flat().filter(({ pid }) => pid === root);
  for (let at = 0; at < all.length; at++) all.push(...(children.get(all[at].pid) ?? []));
  return all;
}

const cpuSeconds = root => tree(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
const master = root => (tree(root).find(({ pid }) => pid === root)?.ticks ?? 0) / TICKS_PER_SECOND;

const UNITS = { us: 1e-3, ms: 1, s: 1e3 };

async function load({ child, port }, { close, seconds }) {
  const header = close ? ['-H', 'Connection: close'] : [];
  const before = [cpuSeconds(child.pid), master(child.pid)];
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', ...header, `http://127.0.0.1:${port}/`]);
  const cpu = cpuSeconds(child.pid) - before[0];
  const masterCpu = master(child.pid) - before[1];
  const requests = Number(/(\d+) requests in/.exec(stdout)[1]);
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout);
  const errors = /Socket errors: (.*)/.exec(stdout)?.[1];
  return {
    perSecond: requests / seconds,
    cpu: cpu / requests * 1e6,
    master: masterCpu / requests * 1e6,
    p99: Number(p99) * UNITS[unit],
    errors,
  };
}

/** How many of 64 connections that are kept each worker has. */
async function spread(name) {
  const subject = await start(name, Number(values.spread));
  const agents = Array.from({ length: CONNECTIONS }, () => new http.Agent({ keepAlive: true }));
  const ask = agent => new Promise((resolve, reject) => {
    http.get({ port: subject.port, path: '/pid', agent }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', chunk => { text += chunk; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
  const counts = {};
  for (const pid of await Promise.all(agents.map(ask))) counts[pid] = (counts[pid] ?? 0) + 1;
  agents.forEach(agent => agent.destroy());
  await stop(subject);
  return Object.values(counts).sort((a, b) => b - a).join('/');
}

const sorted = list => [...list].sort((a, b) => a - b);
const median = list => sorted(list)[Math.floor(list.length / 2)];
const round = (value, digits = 2) => value.toFixed(digits);

function ratio(rounds, references, of) {
  const ratios = rounds.map((one, at) => of(one) / of(references[at]));
  return `${round(median(ratios))}× (${round(Math.min(...ratios))}–${round(Math.max(...ratios))})`;
}

async function main() {
  const seconds = Number(values.seconds);
  const results = Object.fromEntries(names.map(name => [name, []]));
  for (let number = 0; number < Number(values.rounds); number++) {
    for (const name of names) {
      const subject = await start(name, Number(values.workers));
      await load(subject, { close: false, seconds: 1 });
      const kept = await load(subject, { close: false, seconds });
      const closed = await load(subject, { close: true, seconds });
      await stop(subject);
      results[name].push({ kept, closed });
      for (const { errors } of [kept, closed]) if (errors) console.error(`${name}: ${errors}`);
    }
    console.error(`round ${number + 1} of ${values.rounds}`);
  }
  const references = results[REFERENCE];
  console.log(`${values.workers} workers, ${CONNECTIONS} connections, Node ${process.version}, ${values.rounds} rounds of ${seconds} s; ratios to ${REFERENCE}\n`);
  console.log('| subject | kept: req/s | kept: CPU/req | kept: p99 | close: req/s | close: CPU/conn | close: µs/conn, of it master | close: p99 | spread |');
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const name of names) {
    const rounds = results[name];
    const of = (kind, field) => one => one[kind][field];
    const cells = [
      name,
      ratio(rounds, references, of('kept', 'perSecond')),
      ratio(rounds, references, of('kept', 'cpu')),
      ratio(rounds, references, of('kept', 'p99')),
      ratio(rounds, references, of('closed', 'perSecond')),
      ratio(rounds, references, of('closed', 'cpu')),
      `${round(median(rounds.map(of('closed', 'cpu'))), 0)}, ${round(median(rounds.map(of('closed', 'master'))), 0)}`,
      ratio(rounds, references, of('closed', 'p99')),
      await spread(name),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  if (values.json) fs.writeFileSync(values.json, JSON.stringify(results, null, 2));
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
