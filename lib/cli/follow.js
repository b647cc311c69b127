'use strict';

// Follows a file by its name: what is added, the next file after a rename, the beginning again after a truncation.

const fs = require('fs/promises');

const LOOK_EVERY_MS = 200;
const CHUNK = 64 * 1024;

/** Where the last `lines` lines of an open file begin. */
async function beginOfTail(handle, size, lines) {
  if (lines === 0) return size;
  const buffer = Buffer.alloc(CHUNK);
  let left = lines;
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The line break at the very end closes the last line.
      if (buffer[at] === 10 && start + at !== size - 1 && (left -= 1) === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

class Follower {
  #file;
  #take;
  #handle = null;
  #inode = null;
  #position = 0;
  #timer = null;
  #running = Promise.resolve();
  #ended = false;

  /** @param {string} file @param {(bytes: Buffer) => void} take */
  constructor(file, take) {
    this.#file = file;
    this.#take = take;
  }

  /** Hands out the last `lines` lines. Resolves to whether there is such a file. */
  async begin(lines) {
    if (!await this.#open()) return false;
    const { size } = await this.#handle.stat();
    this.#position = await beginOfTail(this.#handle, size, lines);
    await this.#readOn();
    return true;
  }

  /** From now on, until end(). */
  follow() {
    const next = () => {
      this.#running = this.#look().catch(() => {}).then(() => {
        if (!this.#ended) this.#timer = setTimeout(next, LOOK_EVERY_MS);
      });
    };
    next();
  }

  async end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#handle?.close();
    this.#handle = null;
  }

  async #open() {
    try {
      this.#handle = await fs.open(this.#file, 'r');
    } catch (error) {
      if (error.code === 'ENOENT') return false;
      throw error;
    }
    this.#inode = (await this.#handle.stat()).ino;
    this.#position = 0;
    return true;
  }

  async #look() {
    if (!this.#handle && !await this.#open()) return;
    await this.#readOn();
    const named = await fs.stat(this.#file).catch(() => null);
    if (!named || named.ino === this.#inode) return;
    // The old one has been read to its end above; whoever wrote to it after that, wrote to a file that was put away.
    await this.#readOn();
    await this.#handle.close();
    this.#handle = null;
    if (await this.#open()) await this.#readOn();
  }

  async #readOn() {
    const { size } = await this.#handle.stat();
    if (size < this.#position) this.#position = 0;
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, CHUNK, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      this.#take(Buffer.from(buffer.subarray(0, bytesRead)));
    }
  }
}

module.exports = { Follower };
