'use strict';

// Which startCluster runs an app: the framework's own, which may prepare something first, where that ends in this package; ours where the
// framework still brings the cluster layer that we stand in for.

const fs = require('fs');
const path = require('path');

const { PACKAGE_DIR } = require('../flavour');
const { loadFramework } = require('../framework_entry');

const LAYERS = ['egg-cluster', '@eggjs/cluster'];
const MAX_DEPTH = 8;

function manifest(dir) {
  try {
    return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
  } catch {
    return null;
  }
}

function findPackage(name, from) {
  for (let dir = fs.realpathSync(from); ; dir = path.dirname(dir)) {
    const found = path.join(dir, 'node_modules', name);
    if (manifest(found)) return found;
    if (dir === path.dirname(dir)) return null;
  }
}

/** Whether `startCluster` of this framework is, in the end, this package's. */
function leadsHere(framework) {
  const own = manifest(PACKAGE_DIR).name;
  let dir = framework;
  for (let depth = 0; dir && depth < MAX_DEPTH; depth++) {
    const { dependencies, peerDependencies } = manifest(dir) ?? {};
    const needs = { ...peerDependencies, ...dependencies };
    const layer = LAYERS.find(name => Object.hasOwn(needs, name));
    if (layer) return manifest(findPackage(layer, dir) ?? '')?.name === own;
    dir = Object.hasOwn(needs, 'egg') ? findPackage('egg', dir) : null;
  }
  return false;
}

/** @param {{ framework: string, baseDir: string }} options @returns {Promise<(options: object) => Promise<unknown>>} */
async function startOf({ framework, baseDir }) {
  if (framework !== PACKAGE_DIR && leadsHere(framework)) {
    const { startCluster } = await loadFramework(framework, baseDir);
    if (startCluster) return startCluster;
  }
  return require('../..').startCluster;
}

module.exports = { startOf };
