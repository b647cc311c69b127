'use strict';
// The package as npm would publish it, packed once per run of the tests.

const fs = require('node:fs');
const path = require('node:path');
const { npm } = require('./npm');
const { runFolder } = require('./run_folder');

const ROOT = path.join(__dirname, '..', '..');
let packing;

async function pack() {
  const folder = path.join(runFolder(), 'pack');
  fs.mkdirSync(folder);
  // The addon was built before the tests began; prepack would look for a compiler that a test may have taken away.
  const printed = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT });
  const [{ filename, files }] = JSON.parse(printed);
  return { tarball: path.join(folder, filename), files: files.map(file => file.path) };
}

/** Resolves to { tarball, files }: the path of the .tgz and the paths inside the package. */
function packProject() {
  packing ??= pack();
  return packing;
}

module.exports = { packProject };
