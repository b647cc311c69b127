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

  /** The cluster with this layer and so many apps, which stays until stop(). */
  subject(layer, workers) {
    const key = `${layer} ${workers}`;
    if (!this.#subjects.has(key)) this.#subjects.set(key, this.#start(layer, workers));
    return this.#subjects.get(key);
  }

  async #start(layer, workers) {
    const subject = await Subject.start(layer, workers);
    if (this.#options.pin) pin(subject.pids);
    return subject;
  }

  /** Resolves to [{ stock, ours }], each { value, cpu, master, agent, apps, peak }: CPU in microseconds for each message, peak in MiB. */
  async pairs(aCase) {
    const count = Math.max(FEWEST, Math.round(aCase.count * this.#options.share));
    await Promise.all(LAYERS.map(layer => this.subject(layer, aCase.workers)));
    for (const layer of LAYERS) await this.#run(layer, aCase, count);
    const pairs = [];
    for (let i = 0; i < this.#options.pairs; i++) {
      const pair = {};
      for (const layer of i % 2 ? [...LAYERS].reverse() : LAYERS) pair[layer] = await this.#run(layer, aCase, count);
      pairs.push(pair);
    }
    return pairs;
  }

  async #run(layer, { workers, order, shape, bytes, messagesOf, value }, count) {
    const subject = await this.subject(layer, workers);
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
