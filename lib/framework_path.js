'use strict';

// Finds the framework's folder. Called by the options parser only; loads nothing. Folders are taken as they are spelled,
// never by their real path: tools compare the result with the path they put together themselves.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const cwdAtLoad = require('./cwd_at_load');
const { ClutchError } = require('./errors');
const { PACKAGE_DIR } = require('./flavour');
const { findModule } = require('./framework/load_modules');

/** Where `require(name)` would look from `dir`, the global folders included. */
function lookupDirs(name, dir) {
  return createRequire(path.join(dir, 'noop.js')).resolve.paths(`${name}/package.json`) ?? [];
}

function readPackageJson(file) {
  try {
    const pkg = JSON.parse(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
    return pkg && typeof pkg === 'object' ? pkg : {};
  } catch (cause) {
    throw new ClutchError('ERR_CLUTCH_OPTION', `options.baseDir: ${file} cannot be read as JSON: ${cause.message}`, { cause });
  }
}

/** As for require(), a folder that may not be looked into (another user's home) has nothing in it. */
function isFile(file) {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function isSameDir(a, b) {
  try {
    return fs.realpathSync(a) === fs.realpathSync(b);
  } catch {
    return false;
  }
}

/** @returns {{ dir: string | null, looked: string[] }} */
function findByName(name, baseDir) {
  const looked = new Set([
    path.join(baseDir, 'node_modules'),
    path.join(process.cwd(), 'node_modules'),
    ...(cwdAtLoad ? [path.join(cwdAtLoad, 'node_modules')] : []),
  ]);
  for (const modules of looked) {
    const dir = path.join(modules, name);
    if (fs.existsSync(dir)) return { dir, looked: [...looked] };
  }
  for (const from of [PACKAGE_DIR, process.cwd()]) {
    for (const modules of lookupDirs(name, from)) {
      if (isFile(path.join(modules, name, 'package.json'))) return { dir: path.join(modules, name), looked: [...looked] };
    }
  }
  return { dir: null, looked: [...looked] };
}

function findNamed(name, baseDir) {
  const { dir, looked } = findByName(name, baseDir);
  if (!dir) throw new ClutchError('ERR_CLUTCH_OPTION', `${name} is not found in ${looked.join(',')}`);
  return dir;
}

function assertPackageJson(file) {
  assert(fs.existsSync(file), `${file} should exist`);
}

/**
 * The folder of the framework that an app runs on.
 * @param {string} baseDir absolute path of the app
 * @param {string} [framework] absolute path or package name
 * @returns {string} absolute path; this package's own folder stands for the embedded framework
 */
function findFramework(baseDir, framework) {
  const pkgFile = path.join(baseDir, 'package.json');
  if (framework) {
    if (!path.isAbsolute(framework)) {
      assertPackageJson(pkgFile);
      return findNamed(framework, baseDir);
    }
    if (isSameDir(framework, PACKAGE_DIR)) return PACKAGE_DIR;
    assertPackageJson(pkgFile);
    assert(fs.existsSync(framework), `${framework} should exist`);
    return framework;
  }

  const pkg = fs.existsSync(pkgFile) ? readPackageJson(pkgFile) : null;
  const named = pkg?.egg?.framework;
  if (named) {
    if (typeof named !== 'string') {
      throw new ClutchError('ERR_CLUTCH_OPTION',
        `egg.framework in ${pkgFile} must be the name of a package, got ${JSON.stringify(named)}`);
    }
    return findNamed(named, baseDir);
  }

  const { dir, looked } = findByName('egg', baseDir);
  if (!dir && (findModule(baseDir, 'app') || findModule(baseDir, 'agent'))) return PACKAGE_DIR;
  assertPackageJson(pkgFile);
  if (!dir) throw new ClutchError('ERR_CLUTCH_OPTION', `egg is not found in ${looked.join(',')}`);
  return dir;
}

module.exports = { findFramework };
