'use strict';

// Brings the app's own code into a worker: the modules of `options.require` in order, then the framework. Two ways, because
// egg 2 and 3 apps rely on plain synchronous require() while egg 4 allows ES modules everywhere.

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');
const { resolveEntry, requireEntry, importEntry, isEsmFile } = require('../framework_entry');

/**
 * Loads everything within the tick.
 * @param {{framework: string, baseDir: string, require?: string[]}} options
 * @param {string} script the worker script: where the names in `options.require` are looked up first
 * @returns {object | null} the framework's exports; null where the framework is an ES module, which cannot be had at once
 */
function loadNow(options, script) {
  const fromScript = createRequire(script);
  const fromApp = createRequire(path.join(options.baseDir, 'package.json'));
  for (const name of options.require ?? []) fromScript(resolveFirst(name, fromScript, fromApp));
  const entry = resolveEntry(options.framework, options.baseDir);
  return entry.esm ? null : requireEntry(entry);
}

/**
 * @param {{framework: string, baseDir: string, require?: string[]}} options
 * @param {string} script the worker script
 * @returns {Promise<object>} the framework's exports
 */
async function loadLater(options, script) {
  const fromScript = createRequire(script);
  const fromApp = createRequire(path.join(options.baseDir, 'package.json'));
  for (const name of options.require ?? []) {
    const { file, esm } = resolveAnyKind(name, fromApp, fromScript);
    if (esm) await import(pathToFileURL(file).href);
    else fromApp(file);
  }
  return importFramework(options);
}

/** @returns {Promise<object>} the framework's exports */
async function importFramework(options) {
  const entry = resolveEntry(options.framework, options.baseDir);
  return entry.esm ? importEntry(entry) : requireEntry(entry);
}

// Only a failed look-up makes the second place count: what a module itself cannot find is its own error.
function resolveFirst(name, first, second) {
  try {
    return first.resolve(name);
  } catch (error) {
    try {
      return second.resolve(name);
    } catch {
      throw error;
    }
  }
}

// require.resolve() does not see a package that exports ES modules only; its folder is found all the same.
function resolveAnyKind(name, first, second) {
  try {
    const file = resolveFirst(name, first, second);
    return { file, esm: isEsmFile(file) };
  } catch (error) {
    const dirs = [...first.resolve.paths(name) ?? [], ...second.resolve.paths(name) ?? []];
    const dir = dirs.map(parent => path.join(parent, name)).find(candidate => fs.existsSync(candidate));
    if (!dir) throw error;
    return resolveEntry(dir);
  }
}

module.exports = { loadNow, loadLater, importFramework };
