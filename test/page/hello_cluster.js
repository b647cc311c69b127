'use strict';
// examples/hello as a process, started by its own script on a free port.

const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');

const STARTER = path.join(__dirname, '..', '..', 'examples', 'hello', 'start.js');
const WORKERS = 3;

/** Runs the script; `env` says what the script asks for there. */
function run(env) {
  return startCluster({}, { starter: STARTER, env });
}

/** Resolves once the script has said where the page is. Whoever starts it in a `before` stops it in the `after`. */
async function startHello() {
  const cluster = run({ PORT: String(await freePort()), WORKERS: String(WORKERS) });
  const [, url] = await cluster.output(/Open (http:\S+)/);
  cluster.remember();
  return { cluster, url };
}

module.exports = { WORKERS, run, startHello };
