'use strict';

// Loads the files of an app on the embedded framework. CommonJS files are there when the call returns, so that an app that
// throws while it loads fails its constructor; one ES module among them makes the whole list a promise.

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { isEsmFile } = require('../framework_entry');

const EXTENSIONS = ['.js', '.cjs', '.mjs'];

/** @returns {string | undefined} the file of this name, whichever extension it has */
function findModule(dir, name) {
  return EXTENSIONS.map(extension => path.join(dir, name + extension))
    .find(file => fs.statSync(file, { throwIfNoEntry: false })?.isFile());
}

/**
 * @param {string[]} files absolute paths, loaded in this order
 * @returns {unknown[] | Promise<unknown[]>} what each of them exports; of an ES module its default export, where it has one
 */
function loadModules(files) {
  return files.some(isEsmFile) ? loadInTurn(files) : files.map(file => exportOf(require(file)));
}

async function loadInTurn(files) {
  const loaded = [];
  for (const file of files) {
    loaded.push(exportOf(isEsmFile(file) ? await import(pathToFileURL(file).href) : require(file)));
  }
  return loaded;
}

function exportOf(namespace) {
  const isModule = namespace?.__esModule || namespace?.[Symbol.toStringTag] === 'Module';
  return isModule && 'default' in namespace ? namespace.default : namespace;
}

module.exports = { findModule, loadModules };
