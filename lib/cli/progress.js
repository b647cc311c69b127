'use strict';

// One line that says what is waited for and how long already, on a terminal only. What is printed otherwise is not touched by it.

const EVERY_MS = 120;
const SIGNS = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

class Progress {
  #stream;
  #timer = null;
  #text = '';
  #began = Date.now();
  #turn = 0;

  /** @param {NodeJS.WriteStream} stream stderr @param {string} text */
  constructor(stream, text) {
    this.#stream = stream;
    this.#text = text;
    if (!stream.isTTY) return;
    this.#timer = setInterval(() => this.#draw(), EVERY_MS);
    this.#draw();
  }

  /** Another text from now on. */
  say(text) {
    this.#text = text;
  }

  end() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stream.write('\r\x1b[2K');
  }

  #draw() {
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(1);
    const line = `${SIGNS[this.#turn++ % SIGNS.length]} ${this.#text} ${seconds} s`;
    this.#stream.write(`\r\x1b[2K${line.slice(0, (this.#stream.columns || 80) - 1)}`);
  }
}

/** `act(progress)` with a line of progress meanwhile. */
async function withProgress(stream, text, act) {
  const progress = new Progress(stream, text);
  try {
    return await act(progress);
  } finally {
    progress.end();
  }
}

module.exports = { withProgress };
