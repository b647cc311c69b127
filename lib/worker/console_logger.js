'use strict';

// Log lines in egg's console format, `YYYY-MM-DD HH:mm:ss,SSS LEVEL <pid> <text>`, or as JSON objects; errors to stderr, the rest to
// stdout, each line out of the process before the call returns. Used by the worker scripts, the messenger and the embedded framework.

const fs = require('fs');
const util = require('util');
const { formatError, isError } = require('./format_error');

const LEVELS = { ALL: -Infinity, DEBUG: 0, INFO: 1, WARN: 2, ERROR: 3, NONE: Infinity };
// How long a line may wait for a reader that lets the pipe run full, before it is left to the stream's own queue.
const FULL_PIPE_PATIENCE_MS = 2000;
const FULL_PIPE_NAP_MS = 5;

// With the option `log: 'json'`: what each line of this process or thread says besides its text; null for egg's format.
let about = null;

class ConsoleLogger {
  /**
   * Has all lines of this process or thread written as JSON from now on.
   * @param {object} fields what each says besides its text
   */
  static writeJson(fields) {
    about = fields;
  }

  #level;
  #stdout;
  #stderr;

  /**
   * @param {object} [options]
   * @param {string|number} [options.level] DEBUG, INFO, WARN, ERROR or NONE in any letter case; by default INFO under
   *   NODE_ENV=production and WARN otherwise. The environment variable EGG_LOG wins over both, as everywhere in egg.
   * @param {{write(text: string): void}} [options.stdout]
   * @param {{write(text: string): void}} [options.stderr]
   */
  constructor({ level, stdout, stderr } = {}) {
    this.#level = parseLevel(process.env.EGG_LOG) ?? parseLevel(level) ?? defaultLevel();
    this.#stdout = stdout ?? descriptorWriter(1, () => process.stdout);
    this.#stderr = stderr ?? descriptorWriter(2, () => process.stderr);
  }

  get level() {
    return this.#level;
  }

  set level(level) {
    this.#level = parseLevel(level) ?? this.#level;
  }

  debug(...args) {
    this.#log('DEBUG', args);
  }

  info(...args) {
    this.#log('INFO', args);
  }

  warn(...args) {
    this.#log('WARN', args);
  }

  error(...args) {
    this.#log('ERROR', args);
  }

  #log(level, args) {
    if (this.#level === LEVELS.NONE || LEVELS[level] < this.#level) return;
    const sink = level === 'ERROR' ? this.#stderr : this.#stdout;
    sink.write(about ? jsonLine(level, args) : eggLine(level, args));
  }
}

function parseLevel(level) {
  if (typeof level === 'number') return level;
  return typeof level === 'string' ? LEVELS[level.toUpperCase()] : undefined;
}

function defaultLevel() {
  return parseLevel(process.env.NODE_CONSOLE_LOGGRE_LEVEL)
    ?? (process.env.NODE_ENV === 'production' ? LEVELS.INFO : LEVELS.WARN);
}

function eggLine(level, args) {
  const text = isError(args[0]) ? formatError(args[0]) : util.format(...args);
  return `${timestamp(new Date())} ${level} ${process.pid} ${text}\n`;
}

/** As the master writes them. */
function jsonLine(level, args) {
  const [error] = args;
  const line = { time: new Date().toISOString(), level: level.toLowerCase(), pid: process.pid, ...about };
  if (isError(error)) {
    const { message, name: errorName, code, stack } = error;
    return `${JSON.stringify({ ...line, message: String(message), errorName, code, stack })}\n`;
  }
  return `${JSON.stringify({ ...line, message: util.format(...args) })}\n`;
}

function timestamp(date) {
  const two = number => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `
    + `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())},`
    + String(date.getMilliseconds()).padStart(3, '0');
}

// process.stdout queues what a full pipe does not take, and process.exit() throws the queue away; the last lines of a worker
// are the ones that tell why it went. So lines go to the descriptor itself, unless the stream holds older text back.
function descriptorWriter(fd, stream) {
  return {
    write(text) {
      try {
        const bytes = Buffer.from(text);
        const written = stream().writableLength > 0 ? 0 : writeNow(fd, bytes);
        if (written < bytes.length) stream().write(bytes.subarray(written));
      } catch {
        // Nobody reads any more (EPIPE), or the descriptor was closed: a log line is no reason to fail.
      }
    },
  };
}

function writeNow(fd, bytes) {
  const deadline = performance.now() + FULL_PIPE_PATIENCE_MS;
  let written = 0;
  while (written < bytes.length) {
    try {
      written += fs.writeSync(fd, bytes, written);
    } catch (error) {
      if (error.code === 'EINTR') continue;
      if (error.code !== 'EAGAIN') throw error;
      if (performance.now() >= deadline) break;
      nap(FULL_PIPE_NAP_MS);
    }
  }
  return written;
}

function nap(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

module.exports = { ConsoleLogger };
