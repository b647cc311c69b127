'use strict';

// What is compared, each as the command that serves on PORT with WORKERS processes and says `ready`.

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const ROOT = path.join(__dirname, '..', '..');
const servers = name => path.join(__dirname, 'servers', name);
const LAYER = servers('layer.js');

const ours = (options, env) => ({ command: [process.execPath, LAYER, ROOT, JSON.stringify(options)], env });

/** egg-cluster as npm has it; installed once. */
function eggCluster() {
  const folder = path.join(ROOT, '.tmp', 'bench-http');
  const installed = path.join(folder, 'node_modules', 'egg-cluster');
  if (!fs.existsSync(installed)) {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', 'egg-cluster@2.5.0'], { cwd: folder, stdio: 'ignore' });
  }
  return installed;
}

const SUBJECTS = {
  'reuse-port': () => ({ command: ['python3', servers('reuse_port.py'), process.execPath] }),
  'single': () => ({ command: [process.execPath, servers('single.js')] }),
  'node-rr': () => ({ command: [process.execPath, servers('plain_cluster.js')], env: { NODE_CLUSTER_SCHED_POLICY: 'rr' } }),
  'node-none': () => ({ command: [process.execPath, servers('plain_cluster.js')], env: { NODE_CLUSTER_SCHED_POLICY: 'none' } }),
  'egg-cluster': () => ({ command: [process.execPath, LAYER, eggCluster(), '{}'] }),
  'least-busy': () => ours({}),
  'round-robin': () => ours({ balance: 'round-robin' }),
  'kernel': () => ours({ balance: 'kernel' }),
  // The same without lanes: connections go as Node's own messages.
  'channel': () => ours({}, { EGG_CLUTCH_LANES: 'off' }),
  'reusePort': () => ours({ reusePort: true }),
  'sticky': () => ours({ sticky: true }),
};

module.exports = { SUBJECTS };
