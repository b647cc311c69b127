'use strict';

// What the agent process runs: `node agent_worker.js <options as JSON>`. Constructs the framework's Agent and tells the master
// when it is ready. It leaves on SIGTERM (code 0) and when the master is gone (code 110).

const { processMessenger } = require('./messenger');
const { bootWorker } = require('./worker/boot');
const { shareCompiled } = require('./worker/compile_cache');

bootWorker({
  exportName: 'Agent',
  label: 'agent_worker',
  logLevel: process.env.EGG_AGENT_WORKER_LOGGER_LEVEL,
  script: __filename,
  constructed: watchStart,
});

function watchStart(agent, { logger, send, terminate }) {
  let failed = false;
  // By then all that boots has booted, and nobody waits for an agent as a client waits for an app.
  processMessenger().once('egg-ready', () => setImmediate(shareCompiled));

  function fail(error) {
    if (failed) return;
    failed = true;
    logger.error(error);
    logger.error('[agent_worker] start error, exiting with code:1');
    terminate();
  }

  agent.once('error', fail);
  agent.ready(error => {
    // Most frameworks emit the error as well, then it has been told already.
    if (error) {
      fail(error);
      return;
    }
    agent.removeListener('error', fail);
    if (!failed) send({ action: 'agent-start', to: 'master' });
  });
}
