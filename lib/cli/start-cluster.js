'use strict';

// The script of the master that `egg-clutch start` spawns. Its name is in the command line of the process, where egg's tools look for it.
// Arguments: the options as JSON; --with-parent: the cluster ends with the process that started it.

const { startOf } = require('./cluster_layer');

const [, , text, ...rest] = process.argv;
const options = JSON.parse(text);

if (rest.includes('--with-parent')) process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));

startOf(options).then(startCluster => startCluster(options)).catch(error => {
  // After a failed boot the log has said why; what has thrown before is said here.
  if (error?.code !== 'ERR_CLUTCH_BOOT') process.stderr.write(`${error?.stack ?? error}\n`);
  process.exitCode = 1;
});
