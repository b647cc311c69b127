'use strict';
// A real egg app from npm with this package in the place of its cluster layer, by "overrides" as the README says; or, for comparison,
// with the cluster layer that egg brings.
// Every run of the tests has copies of its own of what is installed, in .tmp/run-<pid> (hard links, so they cost little), with our
// package as it is now laid over the one that npm installed.

const fs = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');
const { execFileSync } = require('node:child_process');
const { npmFolder } = require('./npm_folder');
const { packProject } = require('./pack');
const { runFolder } = require('./run_folder');

const ROOT = path.join(__dirname, '..', '..');
const FIXTURES = path.join(ROOT, 'test', 'fixtures');

const FLAVOURS = {
  egg3: { layer: 'egg-cluster', dependencies: { egg: '^3' } },
  egg4: { layer: '@eggjs/cluster', dependencies: { egg: '^4' } },
};
// Libraries that lean on the cluster module, for fixtures to use unmodified.
const LEANERS = { 'graceful': '^2.0.0', 'graceful-process': '^2.0.0' };

const installing = new Map();
const apps = new Map();

function manifest({ flavour, stock, extras }, tarball, own = { private: true }) {
  const { layer, dependencies } = FLAVOURS[flavour];
  const overrides = stock ? {} : { overrides: { [layer]: `file:${tarball}` } };
  return JSON.stringify({ ...own, dependencies: { ...dependencies, ...LEANERS, ...extras }, ...overrides }, null, 2);
}

/** What decides whether an earlier installation still serves: what the app asks for, and what our package asks for. */
function installationKey({ flavour, stock, extras }) {
  const { dependencies, bundleDependencies, name } = require(path.join(ROOT, 'package.json'));
  const asked = JSON.stringify([FLAVOURS[flavour], LEANERS, extras, stock ? 'stock' : [name, dependencies, bundleDependencies]]);
  return `${flavour}-${createHash('sha256').update(asked).digest('hex').slice(0, 12)}`;
}

/** Lays the packed files over an installed package. */
function layOver(packageDir, tarball) {
  fs.rmSync(packageDir, { recursive: true });
  fs.mkdirSync(packageDir);
  execFileSync('tar', ['-xzf', tarball, '-C', packageDir, '--strip-components=1']);
}

/** There must be one copy of the layer: a second one beside it could be what egg really loads. */
function assertOnly(folder, layer, expected) {
  const found = execFileSync('find', [folder, '-type', 'd', '-path', `*/node_modules/${layer}`], { encoding: 'utf8' }).trim().split('\n');
  const packageDir = path.join(folder, 'node_modules', layer);
  if (found.length !== 1 || found[0] !== packageDir) throw new Error(`expected one ${layer} in ${folder}, found ${found.join(', ')}`);
  const { name } = JSON.parse(fs.readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
  if (name !== expected) throw new Error(`${packageDir} is ${name}, not ${expected}`);
}

/** Times are kept, because static files are served with them. */
function copy(name, target) {
  fs.cpSync(path.join(FIXTURES, name), target, { recursive: true, preserveTimestamps: true });
}

async function lay(kind, key, { fixture, base }) {
  if (!installing.has(key)) installing.set(key, npmFolder(key, async () => manifest(kind, (await packProject()).tarball)));
  const [installed, { tarball }] = await Promise.all([installing.get(key), packProject()]);
  const { layer } = FLAVOURS[kind.flavour];
  const source = path.join(FIXTURES, 'apps', fixture);
  const baseDir = path.join(runFolder(), 'apps', `${key}-${fixture}`);
  const packageDir = path.join(baseDir, 'node_modules', layer);
  if (base) copy(base, baseDir);
  copy(path.join('apps', fixture), baseDir);
  for (const half of ['probe', 'orders']) copy(half, path.join(baseDir, half));
  const own = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'));
  fs.writeFileSync(path.join(baseDir, 'package.json'), manifest(kind, tarball, own));
  execFileSync('cp', ['-al', path.join(installed, 'node_modules'), baseDir]);
  if (!kind.stock) layOver(packageDir, tarball);
  assertOnly(baseDir, layer, kind.stock ? layer : 'egg-clutch');
  return { baseDir, entry: path.join(baseDir, 'node_modules', 'egg'), packageDir, layer };
}

/**
 * The app `fixture` of test/fixtures/apps on egg 3 or egg 4 ('egg3', 'egg4'), installed; test/fixtures/probe and orders lie in it.
 * `base` is a folder of test/fixtures that lies below the fixture, for what several apps have in common.
 * `extras` are further dependencies ({ name: range }); with `stock` the cluster layer is the one that egg brings, for comparison.
 * Resolves to { baseDir, entry, packageDir, layer }: `entry` is what startCluster of the driver takes, the app's own egg;
 * `packageDir` is where the cluster layer lies inside the app.
 */
function installedApp(flavour, { fixture = flavour, base, extras = {}, stock = false } = {}) {
  const kind = { flavour, extras, stock };
  const key = installationKey(kind);
  const name = `${key} ${fixture}`;
  if (!apps.has(name)) apps.set(name, lay(kind, key, { fixture, base }));
  return apps.get(name);
}

module.exports = { installedApp };
