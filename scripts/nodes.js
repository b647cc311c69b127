'use strict';
// The supported Node lines. Their binaries come from the npm packages node-linux-<arch> and are kept in .tmp/nodes.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, run } = require('./tools');

const SUPPORTED = ['18', '20', '22', '24'];

/** Resolves to the path of the newest Node of that major line. */
async function nodeBinary(major) {
  const name = `node-linux-${process.arch}`;
  const folder = path.join(ROOT, '.tmp', 'nodes', major);
  const binary = path.join(folder, 'node_modules', name, 'bin', 'node');
  if (fs.existsSync(binary)) return binary;
  fs.mkdirSync(folder, { recursive: true });
  // npm looks upwards for a package.json and would install into the project without one here.
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true }));
  const { code } = await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${major}`]);
  if (code !== 0 || !fs.existsSync(binary)) throw new Error(`${name}@${major} could not be installed into ${folder}`);
  return binary;
}

module.exports = { nodeBinary, SUPPORTED };
