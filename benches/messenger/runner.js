'use strict';

// Runs cases in pairs, stock and ours in turn, both warmed by a run that does not count.

const { pin } = require('./pinning');
const { Subject } = require('./subject');

const LAYERS = ['stock', 'ours'];
const FEWEST = 4;

class Runner {
  #options;
  #subjects = new Map();

  constructor(options) {
    this.#options = options;
  }

  /** The cluster with this layer, so many apps and, where it is ours, this serialization, which stays until stop(). */
  subject(layer, workers, serialization = 'json') {
    const key = layer === 'stock' ? `${layer} ${workers}` : `${layer} ${workers} ${serialization}`;
    if (!this.#subjects.has(key)) this.#subjects.set(key, this.#start(layer, workers, serialization));
    return this.#subjects.get(key);
  }

  async #start(layer, workers, serialization) {
    const subject = await Subject.start(layer, workers, serialization);
    if (this.#options.pin) pin(subject.pids);
    return subject;
  }

  /** Resolves to [{ stock, ours }], each { value, cpu, master, agent, apps, peak }: CPU in microseconds for each message, peak in MiB. */
  async pairs(aCase) {
    await Promise.all(LAYERS.map(layer => this.subject(layer, aCase.workers, aCase.serialization)));
    for (const layer of LAYERS) await this.#run(layer, aCase);
    const pairs = [];
    for (let i = 0; i < this.#options.pairs; i++) {
      const pair = {};
      for (const layer of i % 2 ? [...LAYERS].reverse() : LAYERS) pair[layer] = await this.#run(layer, aCase);
      pairs.push(pair);
    }
    return pairs;
  }

  async #run(layer, { workers, serialization, order, shape, bytes, counts, messagesOf, value }) {
    const count = Math.max(FEWEST, Math.round(counts[layer] * this.#options.share));
    const subject = await this.subject(layer, workers, serialization);
    const { answer, cpu, peaks } = await subject.measure({ ...order, shape, bytes, count });
    const each = Object.fromEntries(Object.entries(cpu).map(([role, spent]) => [role, spent / messagesOf(count)]));
    const peak = peaks.reduce((sum, one) => sum + one, 0);
    return { value: value(count, answer), cpu: each.master + each.agent + each.apps, ...each, peak };
  }

  async stop() {
    for (const started of this.#subjects.values()) await (await started).stop();
  }
}

module.exports = { Runner, LAYERS };
