'use strict';
// Becomes the master, as the start scripts of egg's tools do: argv is the options as JSON and the module to start through.

const { pathToFileURL } = require('node:url');

const [, , options, entry] = process.argv;

async function load() {
  try {
    return require(entry);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM') throw error;
    return import(pathToFileURL(entry).href);
  }
}

// A rejection stays unhandled on purpose: a plain caller's process must end with code 1 by itself.
load().then(({ startCluster }) => startCluster(JSON.parse(options)));
