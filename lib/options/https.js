'use strict';

// The `https` option. Files are only looked for here; the app workers read them.

const assert = require('assert');
const fs = require('fs');

const { bad, isPlainObject } = require('./checks');

/** v2 takes paths only and has one text for "absent" and "no such file". */
function checkPaths({ key, cert, ca }) {
  assert(key && fs.existsSync(key), 'options.https.key should exists');
  assert(cert && fs.existsSync(cert), 'options.https.cert should exists');
  assert(!ca || fs.existsSync(ca), 'options.https.ca should exists');
}

/** v3 tells the two apart, and leaves alone what is not a string. */
function checkPathsOrContents({ key, cert, ca }) {
  assert(key, 'options.https.key should exists');
  if (typeof key === 'string') assert(fs.existsSync(key), 'options.https.key file should exists');
  assert(cert, 'options.https.cert should exists');
  if (typeof cert === 'string') assert(fs.existsSync(cert), 'options.https.cert file should exists');
  if (typeof ca === 'string') assert(fs.existsSync(ca), 'options.https.ca file should exists');
}

/**
 * @param {object} options with `https`, and with top-level `key` and `cert` for the old `https: true`
 * @param {2 | 3} flavour
 * @returns {object | false}
 */
function parseHttps({ https, key, cert }, flavour) {
  if (!https) return false;
  let parsed = https;
  if (https === true) {
    const stock = flavour === 3 ? '@eggjs/cluster' : 'egg-cluster';
    console.warn(`[${stock}:deprecated] [master] Please use \`https: { key, cert, ca }\` instead of \`https: true\``);
    parsed = { key, cert };
  } else if (!isPlainObject(https)) {
    throw bad('options.https', https, 'false or an object { key, cert, ca?, passphrase? } of file paths');
  }
  if (flavour === 3) checkPathsOrContents(parsed);
  else checkPaths(parsed);
  return parsed;
}

module.exports = { parseHttps };
