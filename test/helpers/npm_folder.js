'use strict';
// Folders of packages from npm, kept in .tmp/npm from run to run: installing takes long.

const fs = require('node:fs');
const path = require('node:path');
const { npm } = require('./npm');

const FLAGS = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];

/**
 * Resolves to the folder .tmp/npm/<key>, in which `npm install` has run once. `manifest()` resolves to the text of its package.json;
 * `flags` are further ones of npm. The key must tell apart whatever is installed.
 */
async function npmFolder(key, manifest, flags = []) {
  const folder = path.join(__dirname, '..', '..', '.tmp', 'npm', key);
  if (fs.existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}`;
  fs.mkdirSync(partial, { recursive: true });
  fs.writeFileSync(path.join(partial, 'package.json'), await manifest());
  await npm(['install', ...FLAGS, ...flags], { cwd: partial });
  try {
    fs.renameSync(partial, folder);
  } catch (error) {
    // Another run of the tests was faster; its folder is as good.
    if (!fs.existsSync(folder)) throw error;
    fs.rmSync(partial, { recursive: true });
  }
  return folder;
}

module.exports = { npmFolder };
