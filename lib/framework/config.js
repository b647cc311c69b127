'use strict';

// The configuration of an app on the embedded framework: defaults, then config/config.default, then config/config.<env>, merged
// key by key. Knows which files there may be and how they are merged; loading them is load_modules.js.

const path = require('path');
const { findModule } = require('./load_modules');

const DEFAULTS = {
  cluster: { listen: { path: '', port: 7001, hostname: '' } },
  logger: { level: 'INFO' },
  workerStartTimeout: 10 * 60 * 1000,
};

/** @returns {string} as egg finds it: the option, EGG_SERVER_ENV, or what NODE_ENV stands for */
function serverEnv(options) {
  const byNodeEnv = { test: 'unittest', production: 'prod' };
  return options.env || process.env.EGG_SERVER_ENV || byNodeEnv[process.env.NODE_ENV] || 'local';
}

/** @returns {string[]} the config files that exist, the more special one last */
function configFiles(baseDir, env) {
  return ['default', env].map(name => findModule(path.join(baseDir, 'config'), `config.${name}`)).filter(Boolean);
}

/**
 * @param {string[]} files the files, for error texts
 * @param {unknown[]} loaded what they export: an object, or a function of `appInfo` that returns one
 * @param {object} appInfo name, baseDir, env and pkg of the app
 * @returns {object}
 */
function buildConfig(files, loaded, appInfo) {
  return loaded.reduce((config, exported, index) => {
    const layer = typeof exported === 'function' ? exported(appInfo, config) : exported;
    if (!isPlainObject(layer)) {
      throw new TypeError(`${files[index]} must export an object or a function that returns one, got ${typeof layer}`);
    }
    return merge(config, layer);
  }, merge({}, DEFAULTS));
}

// Lists are replaced as a whole, as are instances of classes: half of one and half of another is never meant.
function merge(base, layer) {
  const merged = { ...base };
  for (const [key, value] of Object.entries(layer)) {
    if (value === undefined) continue;
    merged[key] = isPlainObject(value) ? merge(isPlainObject(base[key]) ? base[key] : {}, value) : value;
  }
  return merged;
}

function isPlainObject(value) {
  if (Object(value) !== value || Array.isArray(value) || typeof value === 'function') return false;
  const prototype = Object.getPrototypeOf(value);
  // An ES module without a default export has no prototype; objects of another realm have one with a null parent.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

module.exports = { DEFAULTS, serverEnv, configFiles, buildConfig };
