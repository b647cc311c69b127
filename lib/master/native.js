'use strict';

// Loads the native addon, and says in one sentence what is missing where that fails. Nothing else in the master may load it:
// requiring this package must succeed on every machine.

const fs = require('fs');
const path = require('path');

const { ClutchError } = require('../errors');

const PACKAGE_DIR = path.join(__dirname, '..', '..');
const BUILT_FOR = ['linux-x64', 'linux-arm64'];

function cLibrary() {
  return process.report?.getReport?.().header?.glibcVersionRuntime ? 'glibc' : 'musl';
}

function explain(platform, arch, cause) {
  const place = `${platform}-${arch}`;
  if (!BUILT_FOR.includes(place)) {
    return `egg-clutch runs on Linux x64 and arm64, not on ${place}; use egg-cluster (egg 2 and 3) or @eggjs/cluster (egg 4) here`;
  }
  const machine = `${place} (${cLibrary()}, Node.js ${process.version})`;
  const remedy = fs.existsSync(path.join(PACKAGE_DIR, 'Cargo.toml'))
    ? `run \`npm run build\` in ${PACKAGE_DIR}`
    : 'install the package again without --omit=optional, or use egg-cluster (egg 2 and 3) or @eggjs/cluster (egg 4)';
  return `the native addon of egg-clutch could not be loaded on ${machine}: ${cause.message.split('\n', 1)[0]}; ${remedy}`;
}

/**
 * @param {() => object} [load] for tests
 * @throws {ClutchError} ERR_CLUTCH_PLATFORM
 */
function loadNative(load = () => require('../../binding.js'), { platform = process.platform, arch = process.arch } = {}) {
  try {
    const native = load();
    if (typeof native?.Cluster !== 'function') throw new Error('it has no Cluster');
    return native;
  } catch (cause) {
    throw new ClutchError('ERR_CLUTCH_PLATFORM', explain(platform, arch, cause), { cause });
  }
}

module.exports = { loadNative };
