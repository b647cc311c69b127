'use strict';
// A process that a test started, with all that it starts in its turn: its output, and who of them is alive.

const { randomUUID } = require('node:crypto');
const { setImmediate: turn } = require('node:timers/promises');
const processes = require('./processes');
const { Waiting } = require('./waiting');

const MARKER = 'EGG_CLUTCH_TEST_RUN';
// One prefix for this run of the tests, so that its end can look for what any tree left.
const RUN = randomUUID();
const OUTPUT_TAIL = 6000;

const running = new Set();
let started = 0;

class ProcessTree {
  /** `start(variables)` starts the root with these variables in its environment, which its descendants inherit, and returns it. */
  constructor(start) {
    started += 1;
    this.marker = `${RUN}.${started}.`;
    this.stdout = '';
    this.stderr = '';
    this.ended = null;
    this.tree = new Map();
    this.waiting = new Waiting(() => this.describe());
    this.child = start({ [MARKER]: this.marker });
    this.pid = this.child.pid;
    this.listen();
    running.add(this);
  }

  listen() {
    const { child } = this;
    for (const stream of ['stdout', 'stderr']) {
      child[stream]?.setEncoding('utf8').on('data', text => {
        this[stream] += text;
        this.waiting.look();
      });
    }
    child.on('exit', (code, signal) => {
      this.ended = { code, signal };
      this.waiting.look();
    });
    // 'close' comes when the last process that holds the output has gone, so nothing can be printed after it.
    child.on('close', () => {
      this.closed = true;
      this.waiting.end(`it is gone (${JSON.stringify(this.ended)})`);
    });
    child.on('error', error => this.waiting.end(error.message));
  }

  /**
   * Resolves to the first truthy result of `find(this)`, asked again at every line, message and exit. Whatever the process had said before,
   * by whichever way, has been read by then. What others say, or it says later, is waited for by itself.
   */
  async waitFor(find, limits) {
    const found = await this.waiting.for(() => find(this), { what: String(find), ...limits });
    await hearOut();
    return found;
  }

  /** A match of `pattern` (RegExp or text) in what was printed on either stream. */
  output(pattern, limits) {
    const matches = text => (typeof pattern === 'string' ? text.includes(pattern) && [pattern] : pattern.exec(text));
    return this.waitFor(() => matches(this.stdout) || matches(this.stderr), { what: `output ${pattern}`, ...limits });
  }

  /** Resolves to { code, signal } of the root once it and everybody who could still print have gone. */
  exit(limits) {
    return this.waitFor(() => this.closed && this.ended, { what: 'the end of all that could print', ...limits });
  }

  kill(signal = 'SIGTERM') {
    this.remember();
    this.child.kill(signal);
  }

  /** SIGTERM, the end, and nobody left; what has ended already is only checked. */
  async stop(signal = 'SIGTERM') {
    if (!this.ended) this.kill(signal);
    const ended = await this.exit();
    await this.assertNothingLeft();
    return ended;
  }

  /** Takes down who is in the tree now: a process that cleans its environment is found again by pid and start time. */
  remember() {
    for (const process of processes.descendantsOf(this.pid)) this.tree.set(`${process.pid} ${process.startTime}`, process);
  }

  living() {
    const found = new Map();
    for (const process of processes.withVariable(MARKER, this.marker)) found.set(process.pid, process);
    for (const process of this.tree.values()) {
      if (processes.isAlive(process)) found.set(process.pid, process);
    }
    return [...found.values()];
  }

  /** Rejects, and kills them, where processes of this tree are still there after `limitMs`, or at the watchdog. */
  async assertNothingLeft(limitMs) {
    const left = await processes.waitUntilGone(() => this.living(), limitMs);
    running.delete(this);
    if (!left.length) return;
    const list = left.map(({ pid, state }) => `${pid} ${state} ${processes.commandLine(pid).join(' ').slice(0, 300)}`);
    this.destroy();
    throw new Error(`left over from ${this.pid}:\n${list.join('\n')}\n${this.describe()}`);
  }

  /** Kills whatever is there, at once; for the end of a test that has failed already. */
  destroy() {
    running.delete(this);
    for (const { pid } of this.living()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  describe() {
    const state = this.ended ? `ended with ${JSON.stringify(this.ended)}` : 'running';
    return [`${this.pid}: ${state}`, ...this.details(), `--- stdout\n${tail(this.stdout)}`, `--- stderr\n${tail(this.stderr)}`].join('\n');
  }

  /** What else there is to say where a test fails. */
  details() {
    return [];
  }
}

/**
 * Lines, messages and the exit come by a descriptor each, and are read in whatever order the kernel names these: the one that was found
 * may have been read in this turn of the event loop, and what was written before it is there to be read in the next one at the latest.
 */
async function hearOut() {
  await turn();
  await turn();
}

function tail(text) {
  return text.length > OUTPUT_TAIL ? `…${text.slice(-OUTPUT_TAIL)}` : text;
}

module.exports = { ProcessTree, running, tail, MARKER, RUN };
