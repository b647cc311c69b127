'use strict';
// npm from within a test. It runs on the node that it came with, whichever node is under test.

const { spawn } = require('node:child_process');

function command() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  return script && node ? [node, script] : ['npm'];
}

/** Runs npm in `cwd` and resolves to its standard output; rejects with all of its output. */
function npm(args, { cwd, env = process.env }) {
  const [file, ...first] = command();
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...first, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', chunk => { stdout += chunk; });
    child.stderr.on('data', chunk => { stderr += chunk; });
    child.on('error', reject);
    child.on('close', code => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`npm ${args.join(' ')} ended with code ${code}\n${stdout}\n${stderr}`));
    });
  });
}

module.exports = { npm };
