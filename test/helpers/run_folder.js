'use strict';
// One folder for what this run of the tests puts on the disk; it goes with the run.

const fs = require('node:fs');
const path = require('node:path');
const processes = require('./processes');

const TMP = path.join(__dirname, '..', '..', '.tmp');
let folder;

/** A run that was killed could not tidy up after itself. */
function removeOthersLeftovers() {
  for (const name of fs.readdirSync(TMP)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid && !processes.look(pid)) fs.rmSync(path.join(TMP, name), { recursive: true, force: true });
  }
}

function runFolder() {
  if (folder) return folder;
  folder = path.join(TMP, `run-${process.pid}`);
  fs.mkdirSync(TMP, { recursive: true });
  removeOthersLeftovers();
  fs.mkdirSync(folder, { recursive: true });
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

module.exports = { runFolder };
