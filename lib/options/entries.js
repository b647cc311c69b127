'use strict';

// The options by which egg's bundler hands its results on: what the workers run in the place of our own scripts, and the snapshots that
// they are restored from. Names and meaning are those of @eggjs/cluster.

const fs = require('fs');
const path = require('path');

const { ClutchError } = require('../errors');
const { bad } = require('./checks');

const FILES = ['appWorkerFile', 'agentWorkerFile', 'appSnapshotBlob', 'agentSnapshotBlob'];

/**
 * @param {object} given
 * @param {string} baseDir absolute; relative paths begin there
 * @returns {object} those of the options that were given, as absolute paths of files that are there
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function parseEntries(given, baseDir) {
  const entries = {};
  for (const name of FILES.filter(field => Object.hasOwn(given, field))) {
    const value = given[name];
    const file = typeof value === 'string' && value !== '' ? path.resolve(baseDir, value) : null;
    if (!file || !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) throw bad(`options.${name}`, value, 'the path of a file that is there');
    entries[name] = file;
  }
  const names = Object.keys(entries);
  const blob = names.find(name => name.endsWith('Blob'));
  if (blob && given.startMode === 'worker_threads') {
    throw bad(`options.${blob}`, given[blob], "left out together with startMode 'worker_threads': Node.js restores no threads from snapshots");
  }
  if (names.length && given.require) {
    throw new ClutchError('ERR_CLUTCH_OPTION', `options.require cannot be given together with options.${names[0]}: a bundle brings all that it loads`);
  }
  return entries;
}

module.exports = { parseEntries };
