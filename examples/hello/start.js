'use strict';

// Starts this example: `node examples/hello/start.js`. PORT and WORKERS may be given in the environment.

const net = require('node:net');

async function main() {
  const port = readNumber('PORT', 7001, 65535);
  const workers = readNumber('WORKERS', 4, 64);
  await checkPort(port);

  const { startCluster } = require('../..');
  // Any `env` but "local" and "unittest" counts as production, where a worker that died is replaced.
  await startCluster({ baseDir: __dirname, port, workers, env: 'prod' });
  console.log(`\n  Open http://localhost:${port}/ (${workers} workers; Ctrl-C stops them)\n`);
}

function readNumber(name, fallback, limit) {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= limit) return number;
  throw new Error(`${name} must be a whole number from 1 to ${limit}, but it is "${text}".`);
}

/** Asks for the port before anything is started, so that a taken one is answered with a word and not with a log. */
function checkPort(port) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', error => {
      const reasons = { EADDRINUSE: 'is taken by another process', EACCES: 'is not ours to take' };
      const reason = reasons[error.code] || `cannot be used (${error.message})`;
      reject(new Error(`Port ${port} ${reason}; try another one: PORT=${port === 7001 ? 7002 : 7001} node examples/hello/start.js`));
    });
    probe.listen(port, () => probe.close(resolve));
  });
}

main().catch(error => {
  console.error(error.message);
  process.exit(1);
});
