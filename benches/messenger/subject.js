'use strict';

// One of the two that are compared: a real egg 3 cluster, with the cluster layer that egg brings or with ours.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { startCluster } = require('../../test/helpers/cluster');
const { freePort } = require('../../test/helpers/free_port');
const { installedApp } = require('../../test/helpers/installed_app');
const { runFolder } = require('../../test/helpers/run_folder');
const { until } = require('../../test/helpers/waiting');
const { cpuMicroseconds, peakMemory, resetPeak } = require('./procfs');

const START_LIMIT_MS = 120000;

class Subject {
  /**
   * @param {'stock' | 'ours'} layer
   * @param {number} workers
   * @param {'json' | 'advanced'} serialization of ours; egg's layer has no such option
   */
  static async start(layer, workers, serialization) {
    const app = await installedApp('egg3', { fixture: 'measures_messages', stock: layer === 'stock' });
    const portFile = path.join(runFolder(), `${layer}-${workers}-${serialization}.port`);
    fs.rmSync(portFile, { force: true });
    const env = { EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', BENCH_PORT_FILE: portFile };
    const options = { baseDir: app.baseDir, framework: app.entry, workers, port: await freePort() };
    if (layer === 'ours') options.messenger = { serialization };
    const cluster = startCluster(options, { entry: app.entry, env });
    await cluster.ready({ timeoutMs: START_LIMIT_MS });
    await until(() => fs.existsSync(portFile), portFile, START_LIMIT_MS);
    return new Subject(cluster, workers, Number(fs.readFileSync(portFile, 'utf8')));
  }

  constructor(cluster, workers, port) {
    this.cluster = cluster;
    this.workers = workers;
    this.port = port;
    this.pids = { master: [cluster.pid], agent: [cluster.agentPid()], apps: cluster.appPids() };
  }

  /** Gives an order to the agent; resolves to its answer. */
  order(order) {
    return new Promise((resolve, reject) => {
      const request = http.request({ port: this.port, method: 'POST', agent: false }, response => {
        let body = '';
        response.setEncoding('utf8').on('data', text => {
          body += text;
        });
        response.on('end', () => resolve(JSON.parse(body)));
      });
      request.on('error', reject);
      request.end(JSON.stringify({ apps: this.workers, ...order }));
    });
  }

  /** The same, with what it has cost: CPU time by role in microseconds, peak memory of all processes in MiB. */
  async measure(order) {
    const all = Object.values(this.pids).flat();
    all.forEach(resetPeak);
    const before = this.#cpu();
    const answer = await this.order(order);
    const after = this.#cpu();
    const cpu = {};
    for (const role of Object.keys(after)) cpu[role] = after[role] - before[role];
    return { answer, cpu, peaks: all.map(peakMemory) };
  }

  #cpu() {
    const sums = {};
    for (const [role, pids] of Object.entries(this.pids)) sums[role] = pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);
    return sums;
  }

  stop() {
    return this.cluster.stop();
  }
}

module.exports = { Subject };
