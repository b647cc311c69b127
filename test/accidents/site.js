'use strict';

// Where accidents happen: egg-cluster 2.5 or ours in its place, on the same app and by the same steps.

const processes = require('../helpers/processes');
const { startedPids } = require('../helpers/folder_cluster');
const { until } = require('../helpers/waiting');

// What has not happened by then does not happen. A small cluster boots in a second; ours may wait longer, as its test may not fail for
// a busy machine.
const STOCK_PATIENCE_MS = 8000;
const OUR_PATIENCE_MS = 40000;
const SHORT_CLOSE = { EGG_APP_CLOSE_TIMEOUT: '1000', EGG_AGENT_CLOSE_TIMEOUT: '1000' };

class Site {
  #subject;
  #clusters = [];

  /** @param {object} subject one of test/contract/subjects.js */
  constructor(subject) {
    this.#subject = subject;
    this.isStock = subject.stock;
    this.name = subject.stock ? 'stock' : 'ours';
    this.patienceMs = subject.stock ? STOCK_PATIENCE_MS : OUR_PATIENCE_MS;
  }

  /** Two workers that close within a second, unless said otherwise; see ContractSubject.start(). */
  async start(options = {}, { env, ...settings } = {}) {
    const cluster = await this.#subject.start(options, { env: { ...SHORT_CLOSE, ...env }, ...settings });
    this.#clusters.push(cluster);
    return cluster;
  }

  /** The same, once it is up: { cluster, port, apps, agent }. */
  async startReady(options, settings) {
    const cluster = await this.start(options, settings);
    const { port } = await cluster.ready();
    // Messages may overtake the log.
    await cluster.waitFor(() => startedPids(cluster).length >= 2, { what: 'two workers' });
    return { cluster, port, apps: startedPids(cluster), agent: cluster.agentPid() };
  }

  /** Whether `find()` comes true at all. */
  async happens(find, limitMs = this.patienceMs) {
    try {
      await until(find, 'it happens', limitMs);
      return true;
    } catch (error) {
      if (!error.message.startsWith('not within')) throw error;
      return false;
    }
  }

  /** Whether `count` app workers become ready, all that ever were counted. */
  hasStarted(cluster, count, limitMs) {
    // Some are told of twice.
    return this.happens(() => new Set(startedPids(cluster)).size >= count, limitMs);
  }

  /** Who of the cluster, its descendants with it, stays although its master has gone. */
  async whoStays(cluster) {
    await this.happens(() => cluster.living().length === 0, this.isStock ? 4000 : this.patienceMs);
    const left = cluster.living().map(({ pid }) => processes.commandLine(pid).join(' '));
    const role = line => /(agent|app)_worker/.exec(line)?.[1].replace('app', 'worker') ?? 'child';
    return left.length ? `${left.map(role).join(', ')} stays` : 'nobody stays';
  }

  end() {
    for (const cluster of this.#clusters) cluster.destroy();
  }
}

/** A command of test/fixtures/probe to one process, which may not live to answer. */
function tell(cluster, pid, command, argument) {
  cluster.send({ action: 'probe', receiverPid: String(pid), data: { id: `told ${command}`, command, argument } });
}

/** Sends a signal to who may be gone. */
function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

module.exports = { Site, tell, signal };
