'use strict';

// A command of the command line, run inside of this process.

const { EventEmitter } = require('node:events');
const { run } = require('../../lib/cli');

function sink(isTTY) {
  return { text: '', isTTY, columns: 100, rows: 30, write(text) { this.text += text; return true; } };
}

/** Resolves to { code, stdout, stderr, json() }. */
async function command(argv, { cwd = '/', env = {}, isTTY = false, proc = new EventEmitter() } = {}) {
  const stdout = sink(isTTY);
  const stderr = sink(isTTY);
  const code = await run(argv, { stdout, stderr, stdin: { isTTY }, env, cwd, proc });
  return { code, stdout: stdout.text, stderr: stderr.text, json: () => JSON.parse(stdout.text) };
}

module.exports = { command };
