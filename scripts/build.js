'use strict';
// Builds the addon; with --if-needed only where a source is newer than what was built.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, run } = require('./tools');

const SOURCES = ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs'];
const GENERATED = ['binding.js', 'binding.d.ts'];

function newest(file) {
  const stat = fs.statSync(file);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return fs.readdirSync(file).reduce((latest, name) => Math.max(latest, newest(path.join(file, name))), 0);
}

function builtAddon() {
  const name = fs.readdirSync(ROOT).find(file => /^egg-clutch\..*\.node$/.test(file));
  return name && path.join(ROOT, name);
}

function isUpToDate() {
  const addon = builtAddon();
  if (!addon || GENERATED.some(name => !fs.existsSync(path.join(ROOT, name)))) return false;
  const builtAt = fs.statSync(addon).mtimeMs;
  return SOURCES.every(name => newest(path.join(ROOT, name)) <= builtAt);
}

async function build({ ifNeeded = false } = {}) {
  if (ifNeeded && isUpToDate()) return true;
  const { code } = await run(process.env.npm_execpath ? process.execPath : 'npm',
    [...(process.env.npm_execpath ? [process.env.npm_execpath] : []), 'run', 'build']);
  return code === 0;
}

module.exports = { build, isUpToDate };

if (require.main === module) {
  build({ ifNeeded: process.argv.includes('--if-needed') }).then(done => {
    process.exitCode = done ? 0 : 1;
  });
}
