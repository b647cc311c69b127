'use strict';

// Which of egg's two cluster packages this copy stands in for: 2 is `egg-cluster` (egg 2 and 3), 3 is `@eggjs/cluster`
// (egg 4). They differ in defaults, a few texts and one message; nothing else may ask what egg it is.

const fs = require('fs');
const path = require('path');

const PACKAGE_DIR = path.join(__dirname, '..');

// A framework on a framework on egg is as deep as anybody builds; the limit only ends a cycle of links.
const MAX_DEPTH = 8;

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** 2, 3, or null where the folder's place in node_modules does not tell. */
function flavourOfPlace(packageDir) {
  const parts = packageDir.split(path.sep).filter(Boolean);
  if (parts.at(-1) === 'egg-cluster' && parts.at(-2) === 'node_modules') return 2;
  if (parts.at(-1) === 'cluster' && parts.at(-2) === '@eggjs' && parts.at(-3) === 'node_modules') return 3;
  return null;
}

function findPackageJson(name, fromDir) {
  for (let dir = fromDir; ; dir = path.dirname(dir)) {
    const pkg = readJson(path.join(dir, 'node_modules', name, 'package.json'));
    if (pkg) return { pkg, dir: path.join(dir, 'node_modules', name) };
    if (dir === path.dirname(dir)) return null;
  }
}

/** 2, 3, or null: follows `egg` where a framework is built on it and names no cluster package itself. */
function flavourOfFramework(frameworkDir) {
  let dir = frameworkDir;
  let pkg = readJson(path.join(dir, 'package.json'));
  for (let depth = 0; pkg && depth < MAX_DEPTH; depth++) {
    const needs = { ...pkg.peerDependencies, ...pkg.dependencies };
    if (Object.hasOwn(needs, '@eggjs/cluster')) return 3;
    if (Object.hasOwn(needs, 'egg-cluster')) return 2;
    if (!Object.hasOwn(needs, 'egg')) return null;
    let real = dir;
    // With pnpm the dependencies of a package lie beside its real place, not beside the link to it.
    try { real = fs.realpathSync(dir); } catch { /* the link is dangling: look from where it lies */ }
    const egg = findPackageJson('egg', real) ?? findPackageJson('egg', dir);
    if (!egg) return null;
    ({ pkg, dir } = egg);
  }
  return null;
}

/**
 * @param {string} frameworkDir the resolved framework
 * @param {string} [packageDir] where this package lies
 * @returns {2 | 3}
 */
function flavour(frameworkDir, packageDir = PACKAGE_DIR) {
  return flavourOfPlace(packageDir) ?? flavourOfFramework(frameworkDir) ?? 2;
}

module.exports = { flavour, PACKAGE_DIR };
