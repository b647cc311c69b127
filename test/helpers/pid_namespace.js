'use strict';
// A master as the first process of a pid namespace, as in a container: settings for startCluster.

const { execFileSync } = require('node:child_process');

const NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

const IN_A_NAMESPACE = { nodePath: 'unshare', execArgv: [...NAMESPACE, process.execPath] };

/** Only some may have a pid namespace of their own: root, and others where the kernel lets them. */
function mayUnshare() {
  try {
    execFileSync('unshare', [...NAMESPACE, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

module.exports = { IN_A_NAMESPACE, mayUnshare };
