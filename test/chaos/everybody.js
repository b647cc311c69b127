'use strict';
// A cluster in which everybody talks to everybody, while its parent kills and stops them.

const { order } = require('../helpers/orders');
const { startFolder } = require('../helpers/folder_cluster');

const WATCHDOG_MS = 120000;

class Everybody {
  violations = [];
  taken = 0;
  #cluster;
  /** By pid, in the order in which they came up: 'agent' or 'app'. */
  #up = new Map();
  #killed = new Set();
  #isGoing = false;
  #seen = 0;

  /** Resolves when all are up. */
  static async start({ workers, serialization }) {
    const everybody = new Everybody();
    everybody.workers = workers;
    const env = serialization === 'advanced' ? { TALK_OF_BYTES: '1' } : {};
    everybody.#cluster = await startFolder('talks_to_all', { workers, messenger: { serialization } }, { env });
    everybody.#cluster.child.on('message', () => everybody.#note());
    everybody.#note();
    await everybody.#cluster.ready();
    await everybody.allUp();
    return everybody;
  }

  get cluster() {
    return this.#cluster;
  }

  get pids() {
    return [...this.#up.keys()];
  }

  #note() {
    const { messages } = this.#cluster;
    // Taken out, as there may be very many.
    const news = messages.splice(this.#seen).filter(message => {
      if (!message?.action?.startsWith('talk-')) return true;
      this.#take(message);
      return false;
    });
    messages.push(...news);
    this.#seen = messages.length;
  }

  #take({ action, data: { pid, role, count, text } }) {
    if (action === 'talk-violation') this.violations.push(`${pid}: ${text}`);
    if (action === 'talk-count') this.taken += count;
    // Its last words may come after it was killed.
    if (action !== 'talk-up' || this.#killed.has(pid)) return;
    this.#up.set(pid, role);
    this.#tellPeers();
  }

  #tellPeers() {
    const peers = [...this.#up].map(([pid, role]) => ({ pid, role }));
    for (const to of ['agent', 'app']) this.#cluster.send({ action: 'talk-peers', to, data: { peers, isGoing: this.#isGoing } });
  }

  go() {
    this.#isGoing = true;
    this.#tellPeers();
  }

  /** The number of messages that have come in so far has reached `count`. */
  reaches(count) {
    return this.#waitFor(() => this.taken >= count || this.violations.length > 0, `${count} messages, after ${this.taken}`);
  }

  allUp() {
    return this.#waitFor(() => this.#up.size === this.workers + 1, 'all to be up');
  }

  someUp() {
    return this.#waitFor(() => this.#up.size > this.workers / 2, 'half of them to be up');
  }

  #waitFor(find, what) {
    return this.#cluster.waitFor(find, { what, timeoutMs: WATCHDOG_MS });
  }

  kill(pid) {
    this.#up.delete(pid);
    this.#killed.add(pid);
    process.kill(pid, 'SIGKILL');
    this.#tellPeers();
  }

  stop(pid, ms) {
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => {
      // Killed meanwhile, it may be somebody else's number by now.
      if (this.#up.has(pid)) process.kill(pid, 'SIGCONT');
    }, ms);
  }

  /** Nobody says anything more; all that was said between those who are up has to come. */
  async settle() {
    this.#isGoing = false;
    this.#tellPeers();
    const sent = [];
    for (const pid of this.pids) sent.push(await order(this.#cluster, pid, 'finish'));
    await Promise.all(this.pids.map(pid => this.#settleOne(pid, sent)));
    return sent;
  }

  /** Nobody keeps anything that was received. Gives the bytes that are in place all the same. */
  async clear() {
    let left = 0;
    for (const pid of this.pids) left += await order(this.#cluster, pid, 'clear');
    return left;
  }

  async #settleOne(pid, sent) {
    try {
      await order(this.#cluster, pid, 'settle', sent);
    } catch (error) {
      const table = await order(this.#cluster, pid, 'table');
      const rows = sent.map(({ pid: sender, one, apps, agent }) => `${sender} sent ${one[pid]}, ${apps} to apps, ${agent} to the agent; ` +
        `${pid} has ${JSON.stringify(table[sender])}`);
      throw new Error(`not all has come\n${rows.join('\n')}\n${this.violations.join('\n')}`, { cause: error });
    }
  }
}

module.exports = { Everybody };
