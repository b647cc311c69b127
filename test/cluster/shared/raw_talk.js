'use strict';
// A cluster of one agent and one app that talk by process.send() (fixtures/apps/talks_raw), and what the agent hears of the app, also when
// it was stopped meanwhile.

const { startFolder, startedPids, master } = require('../../helpers/folder_cluster');
const { order, tell } = require('../../helpers/orders');
const { until } = require('../../helpers/waiting');

/** How many messages have room in the ring from one process to another. */
const RING = 1024;
/** More than that by far. */
const FLOOD = 3000;

class RawTalk {
  /** @param {string} size of the arena, and of what may wait for room in it */
  static async start(size) {
    const messenger = { arena: size, maxQueue: size };
    const cluster = await startFolder('talks_raw', { workers: 1, messenger }, { starter: master('asks_and_replies') });
    await cluster.ready();
    return new RawTalk(cluster);
  }

  constructor(cluster) {
    this.cluster = cluster;
    /** What the agent has heard from apps since the last begin(). */
    this.heard = [];
  }

  /** Looks who is there; whatever was sent before does not count. */
  async begin() {
    // One that has ended may be there a moment longer, and its successor does not serve at once.
    [this.app] = await until(() => {
      const pids = this.cluster.appPids();
      return pids.length === 1 && startedPids(this.cluster).includes(pids[0]) && pids;
    }, 'one serves');
    this.agent = this.cluster.agentPid();
    await order(this.cluster, this.agent, 'heard');
    this.heard.length = 0;
  }

  /** Nobody stays stopped. */
  end() {
    process.kill(this.agent, 'SIGCONT');
    if (this.cluster.appPids().includes(this.app)) process.kill(this.app, 'SIGCONT');
  }

  /** Resolves to `heard`, with what has come meanwhile. */
  async hear() {
    const more = await order(this.cluster, this.agent, 'heard');
    this.heard.push(...more.filter(({ from }) => from === 'app'));
    return this.heard;
  }

  /** Waits until the agent has heard so many. */
  untilHeard(count, what) {
    return until(async () => (await this.hear()).length === count, what);
  }

  /** What the messages called 'news' had, of those that were heard. */
  news() {
    return this.heard.filter(({ action }) => action === 'news').map(({ data }) => data);
  }

  /** Stops the agent, and has the app send it so many by this command. */
  async floodWhileStopped(command, count = FLOOD) {
    process.kill(this.agent, 'SIGSTOP');
    tell(this.cluster, this.app, command, count);
    await this.cluster.output(new RegExp(`${this.app} has sent ${count}`));
  }

  /** What the master tells when the app has ended with all but a ring of a flood still waiting. */
  get droppedAtItsEnd() {
    const [from, to] = [{ role: 'app', pid: this.app }, { role: 'agent', pid: this.agent }];
    return { reason: 'sender-ended', action: 'news', count: FLOOD - RING, from, to };
  }
}

/** The numbers that so many messages have. */
const counted = count => Array.from({ length: count }, (_, place) => place);

module.exports = { RawTalk, counted, RING, FLOOD };
