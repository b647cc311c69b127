'use strict';

// The terminal under `top`: its alternate screen, its keys, its size; and its state given back on every way out.

const fs = require('fs');

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const NAMED = {
  '\x1b[A': 'up', '\x1b[B': 'down', '\x1b[C': 'right', '\x1b[D': 'left', '\x1bOA': 'up', '\x1bOB': 'down', '\x1bOC': 'right', '\x1bOD': 'left',
  '\x1b[5~': 'pageup', '\x1b[6~': 'pagedown', '\x03': 'interrupt', '\x1a': 'suspend', '\r': 'enter', '\x1b': 'escape',
};
// eslint-disable-next-line no-control-regex
const KEY = /\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[^]/gu;
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

class Terminal {
  #stdin;
  #stdout;
  #proc;
  #isOpen = false;
  #listeners = [];

  /** @param {{ stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream, proc: NodeJS.Process }} io */
  constructor({ stdin, stdout, proc }) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.#proc = proc;
  }

  get size() {
    return { columns: this.#stdout.columns || 80, rows: this.#stdout.rows || 24 };
  }

  /** @param {{ key: (name: string) => void, redraw: () => void, end: (signal: string) => void }} take */
  open({ key, redraw, end }) {
    this.#on(this.#stdin, 'data', text => {
      for (const [name] of String(text).matchAll(KEY)) key(NAMED[name] ?? name);
    });
    this.#on(this.#stdin, 'end', () => end('end of input'));
    this.#on(this.#stdout, 'resize', redraw);
    this.#on(this.#proc, 'SIGCONT', () => {
      this.#enter();
      redraw();
    });
    for (const signal of END_SIGNALS) this.#on(this.#proc, signal, () => end(signal));
    // Whatever ends the process, an error that nobody caught as well: the shell gets its screen back.
    this.#on(this.#proc, 'exit', () => this.#leave());
    this.#stdin.setEncoding('utf8');
    this.#stdin.resume();
    this.#enter();
  }

  draw(lines) {
    if (this.#isOpen) this.#stdout.write(`\x1b[H${lines.map(line => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  /** Ctrl-Z: the shell has the screen until it lets us go on. */
  suspend() {
    this.#leave();
    this.#proc.kill(this.#proc.pid, 'SIGSTOP');
  }

  close() {
    this.#leave();
    for (const [emitter, event, listener] of this.#listeners.splice(0)) emitter.removeListener(event, listener);
    this.#stdin.pause();
  }

  #on(emitter, event, listener) {
    emitter.on(event, listener);
    this.#listeners.push([emitter, event, listener]);
  }

  #enter() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#stdin.setRawMode(true);
    this.#stdout.write(ENTER);
  }

  #leave() {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#stdin.setRawMode(false);
      // At once: after 'exit' nothing that waits is written.
      fs.writeSync(this.#stdout.fd, LEAVE);
    } catch {
      // The terminal is gone, and its state with it.
    }
  }
}

module.exports = { Terminal };
