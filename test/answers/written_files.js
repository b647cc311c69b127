'use strict';

// The files that an app leaves behind: egg's dumps of its config below `run`, and the logs.

const fs = require('node:fs');
const path = require('node:path');

function filesBelow(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Paths below each of `folders` ({ name: path }), with the folder's name in front. */
function listFiles(folders) {
  return Object.entries(folders).flatMap(([name, folder]) => (
    filesBelow(folder).map(file => path.join(name, path.relative(folder, file)))));
}

/** { file: contents } of the JSON files right below `folder`, without pids in their names; of a dump of times only what was timed. */
function readDumps(folder) {
  const dumps = {};
  for (const name of fs.readdirSync(folder).filter(file => file.endsWith('.json'))) {
    const content = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'));
    const dump = /_timing_/.test(name) ? content.map(timed => timed.name).sort() : content;
    (dumps[name.replace(/_\d+/, '')] ??= []).push(dump);
  }
  return dumps;
}

module.exports = { listFiles, readDumps };
