'use strict';

// The folder in which the processes of a cluster share what V8 has compiled. Node keeps such a cache by itself from 22.1 on, where the
// variable NODE_COMPILE_CACHE names a folder; then no process compiles what another one has compiled before.

const fs = require('fs');
const os = require('os');
const path = require('path');

const FIRST_NODE = [22, 1];

/** What somebody has said about it, with whatever value, is not touched. Coverage would be less precise with a cache (Node's manual). */
const SAID = ['NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE', 'NODE_V8_COVERAGE'];

function nodeKeepsOne(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > FIRST_NODE[0] || (major === FIRST_NODE[0] && minor >= FIRST_NODE[1]);
}

/**
 * A folder for temporary files belongs to everybody, and whoever can write into the cache can have us run what he likes. So ours is made
 * for its owner alone, and is not used where somebody else has made it, or made it a link.
 * @returns {string | null} null where it cannot be had, such as on a disk that cannot be written to
 */
function ownFolder(temporary, uid) {
  const folder = path.join(temporary, `egg-clutch-${uid}`);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (error.code !== 'EEXIST') return null;
  }
  try {
    const found = fs.lstatSync(folder);
    if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0) return null;
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
    return path.join(folder, 'compile-cache');
  } catch {
    return null;
  }
}

class CompileCache {
  #folder;

  /** @param {{ version: string, uid: number, temporary?: string }} facts Node's version without its `v`, and whose processes they are */
  constructor({ version, uid, temporary = os.tmpdir() }) {
    this.#folder = nodeKeepsOne(version) ? ownFolder(temporary, uid) : null;
  }

  /**
   * The variables that a worker is forked with for it. The worker takes both out of its environment again, as nobody set them:
   * neither its app nor the app's own children see them.
   * @param {NodeJS.ProcessEnv} env the master's, as it is now
   * @returns {string[]} `K=V`
   */
  variables(env) {
    if (!this.#folder || SAID.some(name => Object.hasOwn(env, name))) return [];
    return [`NODE_COMPILE_CACHE=${this.#folder}`, 'EGG_CLUTCH_COMPILE_CACHE=on'];
  }
}

module.exports = { CompileCache };
