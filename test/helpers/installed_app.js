'use strict';
// A real egg app from npm with this package in the place of its cluster layer, by "overrides" as the README says.
// Installing takes long, so node_modules are kept in .tmp/npm by what is installed. Every run of the tests has copies of its own
// in .tmp/run-<pid> (hard links, so they cost little), with our package as it is now laid over the one that npm installed.

const fs = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');
const { execFileSync } = require('node:child_process');
const { npm } = require('./npm');
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

function manifest(flavour, tarball, own = { private: true }) {
  const { layer, dependencies } = FLAVOURS[flavour];
  return JSON.stringify({ ...own, dependencies: { ...dependencies, ...LEANERS }, overrides: { [layer]: `file:${tarball}` } }, null, 2);
}

/** What decides whether an earlier installation still serves: what the app asks for, and what our package asks for. */
function keyOf(flavour) {
  const { dependencies, name } = require(path.join(ROOT, 'package.json'));
  return createHash('sha256').update(JSON.stringify([FLAVOURS[flavour], LEANERS, name, dependencies])).digest('hex').slice(0, 12);
}

async function install(flavour) {
  const folder = path.join(ROOT, '.tmp', 'npm', `${flavour}-${keyOf(flavour)}`);
  if (fs.existsSync(folder)) return folder;
  const { tarball } = await packProject();
  const partial = `${folder}.${process.pid}`;
  fs.mkdirSync(partial, { recursive: true });
  fs.writeFileSync(path.join(partial, 'package.json'), manifest(flavour, tarball));
  await npm(['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: partial });
  try {
    fs.renameSync(partial, folder);
  } catch (error) {
    // Another run of the tests was faster; its folder is as good.
    if (!fs.existsSync(folder)) throw error;
    fs.rmSync(partial, { recursive: true });
  }
  return folder;
}

/** Lays the packed files over an installed package and leaves what npm put into its node_modules. */
function layOver(packageDir, tarball) {
  for (const name of fs.readdirSync(packageDir)) {
    if (name !== 'node_modules') fs.rmSync(path.join(packageDir, name), { recursive: true });
  }
  execFileSync('tar', ['-xzf', tarball, '-C', packageDir, '--strip-components=1']);
}

/** The one copy of the layer must be ours: a second one beside it would be what egg really loads. */
function assertOurs(folder, layer) {
  const found = execFileSync('find', [folder, '-type', 'd', '-path', `*/node_modules/${layer}`], { encoding: 'utf8' }).trim().split('\n');
  const packageDir = path.join(folder, 'node_modules', layer);
  if (found.length !== 1 || found[0] !== packageDir) throw new Error(`expected one ${layer} in ${folder}, found ${found.join(', ')}`);
  const { name } = JSON.parse(fs.readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
  if (name !== 'egg-clutch') throw new Error(`${packageDir} is ${name}, the override did not take`);
}

async function lay(flavour, fixture) {
  if (!installing.has(flavour)) installing.set(flavour, install(flavour));
  const [installed, { tarball }] = await Promise.all([installing.get(flavour), packProject()]);
  const { layer } = FLAVOURS[flavour];
  const source = path.join(FIXTURES, 'apps', fixture);
  const baseDir = path.join(runFolder(), 'apps', `${flavour}-${fixture}`);
  const packageDir = path.join(baseDir, 'node_modules', layer);
  fs.cpSync(source, baseDir, { recursive: true });
  fs.cpSync(path.join(FIXTURES, 'probe'), path.join(baseDir, 'probe'), { recursive: true });
  const own = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'));
  fs.writeFileSync(path.join(baseDir, 'package.json'), manifest(flavour, tarball, own));
  execFileSync('cp', ['-al', path.join(installed, 'node_modules'), baseDir]);
  layOver(packageDir, tarball);
  assertOurs(baseDir, layer);
  return { baseDir, entry: path.join(baseDir, 'node_modules', 'egg'), packageDir, layer };
}

/**
 * The app `fixture` of test/fixtures/apps on egg 3 or egg 4 ('egg3', 'egg4'), installed; test/fixtures/probe lies in it as `probe/`.
 * Resolves to { baseDir, entry, packageDir, layer }: `entry` is what startCluster of the driver takes, the app's own egg;
 * `packageDir` is where this package lies inside the app.
 */
function installedApp(flavour, { fixture = flavour } = {}) {
  const key = `${flavour} ${fixture}`;
  if (!apps.has(key)) apps.set(key, lay(flavour, fixture));
  return apps.get(key);
}

module.exports = { installedApp };
