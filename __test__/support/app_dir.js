'use strict';

// Throw-away folders that look like an app with a framework installed.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const ROOT = path.join(__dirname, '..', '..');
const FRAMEWORK = "'use strict';\nexports.Application = class Application {};\nexports.Agent = class Agent {};\n";

const made = [];

/** @param {Record<string, string | object>} files contents by path; objects become JSON */
function tree(files) {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-')));
  made.push(dir);
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return dir;
}

function packageFiles(dir, pkg = {}, index = FRAMEWORK) {
  return { [`${dir}/package.json`]: { name: path.basename(dir), version: '9.8.7', ...pkg }, [`${dir}/index.js`]: index };
}

/** An app on a framework named `egg`; `stock` is the cluster package the framework depends on. */
function appDir({ stock = 'egg-cluster', files = {} } = {}) {
  return tree({
    'package.json': { name: 'some-app' },
    ...packageFiles('node_modules/egg', { dependencies: { [stock]: '*' } }),
    ...files,
  });
}

function removeAll() {
  for (const dir of made.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
}

/** Runs a script in a Node of its own, which can import ES modules and has no test runner around it. */
function runNode(args, options = {}) {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 60_000, ...options });
}

module.exports = { ROOT, FRAMEWORK, tree, packageFiles, appDir, removeAll, runNode };
