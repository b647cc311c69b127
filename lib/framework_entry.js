'use strict';

// Where a framework's main module lies and how it must be loaded: require() for CommonJS, import() for ES modules. The master
// (validation) and both worker scripts ask here, so that all of them load the very same file.

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const INDEX_FILES = { import: ['index.mjs', 'index.js', 'index.cjs'], require: ['index.cjs', 'index.js', 'index.mjs'] };
// A package under development may have nothing but its TypeScript; whoever runs it so brings the loader (NODE_OPTIONS).
const TYPESCRIPT_INDEX_FILES = ['index.ts', 'index.mts', 'index.cts'];

/**
 * @typedef {object} FrameworkEntry
 * @property {string} file absolute path of the module
 * @property {boolean} esm true: only import() may load it; false: require() does, in the same tick
 */

/**
 * @param {string} dir absolute directory of the framework package, or one of its files
 * @param {string} [baseDir] the app's directory. Where a package carries both kinds, the app's own kind is taken: its files
 *   load the framework by name, and must not meet a second copy of it. Without `baseDir` the ES module is taken.
 * @returns {FrameworkEntry}
 */
function resolveEntry(dir, baseDir) {
  if (fs.statSync(dir, { throwIfNoEntry: false })?.isFile()) return entryOf(dir);
  const pkg = readPackage(dir);
  const forImport = locate(dir, pkg, 'import');
  const forRequire = locate(dir, pkg, 'require');
  if (!forImport && !forRequire) throw notFound(dir);
  if (!forImport || forImport === forRequire) return entryOf(forRequire);
  if (forRequire && baseDir && !isEsmPackage(baseDir) && !isEsmFile(forRequire)) return entryOf(forRequire);
  return entryOf(forImport);
}

/**
 * @param {string} dir see resolveEntry
 * @param {string} [baseDir] see resolveEntry
 * @returns {Promise<object>} something with the framework's exports, `Application` and `Agent` among them where it has them
 */
async function loadFramework(dir, baseDir) {
  const entry = resolveEntry(dir, baseDir);
  return entry.esm ? importEntry(entry) : requireEntry(entry);
}

/** @returns {object} the exports of a CommonJS entry, at once */
function requireEntry(entry) {
  return exportsOf(require(entry.file));
}

/** @returns {Promise<object>} the exports of an entry of either kind */
async function importEntry(entry) {
  return exportsOf(await import(pathToFileURL(entry.file).href));
}

// Compiled modules may put everything under `default`, and an import() of such a one under two of them.
function exportsOf(namespace) {
  const layers = [namespace, namespace?.default, namespace?.default?.default];
  return layers.find(layer => layer?.Application || layer?.Agent) ?? namespace;
}

function entryOf(file) {
  return { file, esm: isEsmFile(file) };
}

function locate(dir, pkg, kind) {
  const main = kind === 'import' ? pkg.module ?? pkg.main : pkg.main;
  const sources = pkg.tshy?.exports?.['.'];
  const wanted = [exportTarget(mainExport(pkg.exports), kind), main, sources].filter(name => typeof name === 'string');
  for (const name of wanted) {
    const file = existingFile(path.resolve(dir, name)) ?? existingIndex(path.resolve(dir, name), kind);
    if (file) return file;
  }
  return existingIndex(dir, kind);
}

function existingFile(file) {
  return [file, `${file}.js`, `${file}.cjs`, `${file}.json`].find(isFile);
}

function existingIndex(dir, kind) {
  return [...INDEX_FILES[kind], ...TYPESCRIPT_INDEX_FILES].map(name => path.join(dir, name)).find(isFile);
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

// `exports` is the entry itself, a list, or a map whose keys are paths (".", "./x") or conditions.
function mainExport(value) {
  const isMapOfPaths = Object(value) === value && !Array.isArray(value)
    && Object.keys(value).some(key => key.startsWith('.'));
  return isMapOfPaths ? value['.'] : value;
}

function exportTarget(value, kind) {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(item => exportTarget(item, kind)).find(Boolean);
  if (Object(value) !== value) return undefined;
  for (const [condition, target] of Object.entries(value)) {
    if (condition !== kind && condition !== 'node' && condition !== 'default') continue;
    const found = exportTarget(target, kind);
    if (found) return found;
  }
  return undefined;
}

/** @returns {boolean} whether Node takes this file for an ES module */
function isEsmFile(file) {
  if (/\.m[jt]s$/.test(file)) return true;
  if (/\.c[jt]s$/.test(file) || !/\.[jt]sx?$/.test(file)) return false;
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    // The nearest package.json decides, even one without a "type".
    if (isFile(path.join(dir, 'package.json'))) return isEsmPackage(dir);
    if (dir === path.dirname(dir) || path.basename(dir) === 'node_modules') return false;
  }
}

function isEsmPackage(dir) {
  return readPackage(dir).type === 'module';
}

function readPackage(dir) {
  const file = path.join(dir, 'package.json');
  if (!isFile(file)) return {};
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) ?? {};
  } catch (cause) {
    throw new Error(`${file} is not readable as JSON: ${cause.message}`, { cause });
  }
}

function notFound(dir) {
  return Object.assign(new Error(`${dir} has no main module`), { code: 'MODULE_NOT_FOUND' });
}

module.exports = { resolveEntry, loadFramework, requireEntry, importEntry, isEsmFile };
