'use strict';

// There are no descriptors left, or there is no room on the disk.

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { get } = require('../helpers/http_client');
const { limitDescriptors } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { askOnce } = require('../helpers/traffic');

// Less than any process of a cluster has open.
const FEW = 10;
const SCARCE_MS = 1000;

/** Twenty connections while `pid` can open nothing, and again when it can. */
async function ask(port, pid) {
  const limit = limitDescriptors(pid, FEW);
  const asked = Promise.all(Array.from({ length: 20 }, () => askOnce(port, '/')));
  await pause(SCARCE_MS);
  limitDescriptors(pid, limit);
  const answered = (await asked).filter(({ error }) => error === undefined).length;
  const later = await askOnce(port, '/');
  return `${answered === 20 ? 'all answered' : 'some never answered'}, ${later.error ? 'dead' : 'alive'} afterwards`;
}

let files = 0;

/** A link, because the file may be removed in the end. */
function fullFile() {
  const file = path.join(runFolder(), `full-${files += 1}.pid`);
  fs.symlinkSync('/dev/full', file);
  return file;
}

module.exports = [{
  accident: 'no descriptors left in the master for a second',
  stock: 'all answered, alive afterwards',
  ours: 'all answered, alive afterwards',
  async play(site) {
    const { cluster, port } = await site.startReady();
    return ask(port, cluster.pid);
  },
}, {
  accident: 'no descriptors left in a worker for a second',
  stock: 'some never answered, alive afterwards',
  ours: 'all answered, alive afterwards',
  async play(site) {
    const { port, apps } = await site.startReady();
    return ask(port, apps[0]);
  },
}, {
  accident: 'no room for the pid file',
  stock: 'ends with 1, the file not named',
  ours: 'ends with 1, the file named',
  async play(site) {
    const cluster = await site.start({ pidFile: fullFile() });
    const isOver = await site.happens(() => cluster.ended, 8000);
    const isNamed = /full-\d+\.pid/.test(cluster.stderr.replace(/"pidFile": .*/g, ''));
    return `${isOver ? `ends with ${cluster.ended.code}` : 'starts'}, the file ${isNamed ? '' : 'not '}named`;
  },
}, {
  accident: 'no room for the log, and a worker dies',
  stock: 'never ready, ends with 1',
  ours: 'replaced, serves, ends with 0',
  async play(site) {
    const full = fs.openSync('/dev/full', 'w');
    const cluster = await site.start({}, { stdio: ['ignore', full, full, 'ipc'] });
    fs.closeSync(full);
    const isUp = await site.happens(() => cluster.messages.some(({ action }) => action === 'egg-ready'));
    if (!isUp) return `never ready, ${cluster.ended ? `ends with ${cluster.ended.code ?? cluster.ended.signal}` : 'stays'}`;
    const { port } = await cluster.ready();
    const [victim] = cluster.appPids();
    process.kill(victim, 'SIGKILL');
    const isReplaced = await site.happens(() => cluster.appPids().length === 2 && !cluster.appPids().includes(victim));
    const serves = await get(port).then(() => 'serves', error => error.code);
    cluster.kill();
    const { code, signal } = await cluster.masterExit();
    return `${isReplaced ? 'replaced' : 'not replaced'}, ${serves}, ends with ${code ?? signal}`;
  },
}];
