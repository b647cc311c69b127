'use strict';

// The command egg-clutch: from the words of a shell to a verb, and from what became of it to an exit code. It knows no verb by name.

const { parse } = require('./arguments');
const { EXIT, CommandError } = require('./failures');
const { VERBS } = require('./verbs');

/** What can be said of any error of ours; the stack is for errors that nobody has thought of. */
function report(error, { stdout, stderr }, json) {
  const isKnown = error instanceof CommandError || typeof error.code === 'string';
  if (json) stdout.write(`${JSON.stringify({ error: { code: error.code ?? 'ERR_CLUTCH_FAILED', message: error.message } })}\n`);
  else stderr.write(`egg-clutch: ${isKnown ? error.message : error.stack}\n`);
  return error.exitCode ?? EXIT.failed;
}

/**
 * @param {string[]} argv what stands after the command's name
 * @param {{ stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, stdin: NodeJS.ReadStream, env: NodeJS.ProcessEnv, cwd: string,
 *   proc: NodeJS.Process }} io
 * @returns {Promise<number>} the exit code
 */
async function run(argv, io) {
  let command;
  try {
    command = parse(argv);
  } catch (error) {
    return report(error, io, argv.includes('--json'));
  }
  if (command.verb === 'version') {
    io.stdout.write(`${require('../../package.json').version}\n`);
    return EXIT.done;
  }
  try {
    return await VERBS[command.verb].load()(command, io) ?? EXIT.done;
  } catch (error) {
    return report(error, io, command.flags.json === true);
  }
}

/** Runs what this process was called with. */
function main() {
  const { stdout, stderr, stdin, env } = process;
  // A reader that has seen enough (head, less) closes the pipe: that is its right, and no error of ours.
  stdout.on('error', error => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    stderr.write(`egg-clutch: the output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  // Whoever closes the other one hears no reasons, and still gets the exit code.
  stderr.on('error', () => {});
  run(process.argv.slice(2), { stdout, stderr, stdin, env, cwd: process.cwd(), proc: process }).then(code => {
    process.exitCode = code;
  });
}

module.exports = { main, run };
