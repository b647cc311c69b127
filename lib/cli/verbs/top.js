'use strict';

const { ControlClient } = require('../control_client');
const { EXIT, CommandError } = require('../failures');
const { locate } = require('../find_cluster');
const { painter } = require('../paint');
const { time } = require('../values');
const { emptyHistory, withStatus } = require('../top/history');
const { screen, shownOf } = require('../top/screen');
const { Terminal } = require('../top/terminal');
const { firstView, press } = require('../top/view');

const EVERY_MS = 1000;
const LEAST_MS = 100;

function isPlain({ LC_ALL, LC_CTYPE, LANG }) {
  return !/utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

class Top {
  #client;
  #terminal;
  #means;
  #everyMs;
  #history = emptyHistory();
  #view = firstView();
  #trouble;
  #timer = null;
  #ended;
  #end;

  constructor(client, { stdin, stdout, proc, env }, everyMs) {
    this.#client = client;
    this.#everyMs = everyMs;
    this.#terminal = new Terminal({ stdin, stdout, proc });
    this.#means = { paint: painter(stdout, env), plain: isPlain(env) };
    this.#ended = new Promise(resolve => { this.#end = resolve; });
  }

  /** Ends when somebody leaves. Rejects where there is no cluster to begin with. */
  async run() {
    this.#note(await this.#client.status());
    this.#terminal.open({ key: name => this.#key(name), redraw: () => this.#draw(), end: () => this.#end() });
    try {
      this.#draw();
      this.#next();
      await this.#ended;
    } finally {
      clearTimeout(this.#timer);
      this.#terminal.close();
    }
  }

  #note(status) {
    this.#history = withStatus(this.#history, performance.now(), status);
    this.#trouble = undefined;
  }

  #draw() {
    const { size } = this.#terminal;
    this.#terminal.draw(screen({ history: this.#history, size, view: this.#view, trouble: this.#trouble, ...this.#means }));
  }

  #next() {
    this.#timer = setTimeout(async () => {
      await this.#look();
      this.#next();
    }, this.#everyMs);
  }

  async #look() {
    try {
      this.#note(await this.#client.status());
    } catch (error) {
      this.#trouble = error.message;
    }
    this.#draw();
  }

  #key(name) {
    const { processes, columns } = shownOf(this.#history, this.#view);
    const { view, effect } = press(this.#view, name, processes, columns);
    this.#view = view;
    if (effect === 'quit') return this.#end();
    if (effect === 'suspend') return this.#terminal.suspend();
    this.#draw();
    return effect && this.#order(effect);
  }

  async #order({ order, body, name }) {
    try {
      const answer = await this.#client.order(order, body);
      if (order === 'stack') this.#show(name, answer.stack);
      else this.#view = { ...this.#view, said: `${name}: done` };
    } catch (error) {
      this.#view = { ...this.#view, said: `${name}: ${error.message}` };
    }
    await this.#look();
  }

  #show(title, stack) {
    const lines = stack ? stack.split('\n') : ['It runs no JavaScript at the moment: it is idle, or blocked outside of it.'];
    this.#view = { ...this.#view, page: { title, lines, from: 0 }, said: '' };
  }
}

/** `egg-clutch top` */
async function top({ flags }, io) {
  const everyMs = time('--interval', flags.interval, { min: LEAST_MS }) ?? EVERY_MS;
  const client = new ControlClient(locate(flags, io.cwd));
  if (!io.stdout.isTTY || !io.stdin.isTTY) {
    throw new CommandError('top needs a terminal; `egg-clutch status` prints once', { code: 'ERR_CLUTCH_USAGE', exitCode: EXIT.usage });
  }
  await new Top(client, io, everyMs).run();
  // An order that has no answer yet would keep this process.
  io.proc.exit(EXIT.done);
}

module.exports = { top };
