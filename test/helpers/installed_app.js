'use strict';
// A real egg app from npm with this package in the place of its cluster layer, by "overrides" as the README says.
// Installing takes long, so it is kept in .tmp/apps by what is installed; our own package is laid anew over it in every run.

const fs = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');
const { execFileSync } = require('node:child_process');
const { npm } = require('./npm');
const { packProject } = require('./pack');

const ROOT = path.join(__dirname, '..', '..');
const FIXTURES = path.join(ROOT, 'test', 'fixtures', 'apps');
const STAMP = '.installed';

const FLAVOURS = {
  egg3: { layer: 'egg-cluster', dependencies: { egg: '^3' } },
  egg4: { layer: '@eggjs/cluster', dependencies: { egg: '^4' } },
};
// Libraries that lean on the cluster module, for fixtures to use unmodified.
const LEANERS = { 'graceful': '^2.0.0', 'graceful-process': '^2.0.0' };

const installed = new Map();

function writeManifest(folder, flavour, tarball, fixture) {
  const { layer, dependencies } = FLAVOURS[flavour];
  const own = JSON.parse(fs.readFileSync(path.join(FIXTURES, fixture, 'package.json'), 'utf8'));
  const manifest = { ...own, dependencies: { ...dependencies, ...LEANERS }, overrides: { [layer]: `file:${tarball}` } };
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
}

/** What decides whether an earlier installation still serves: what the app asks for, and what our package asks for. */
function keyOf(flavour) {
  const { dependencies, name } = require(path.join(ROOT, 'package.json'));
  return createHash('sha256').update(JSON.stringify([FLAVOURS[flavour], LEANERS, name, dependencies])).digest('hex').slice(0, 12);
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

async function install(flavour, fixture) {
  const { layer } = FLAVOURS[flavour];
  const { tarball } = await packProject();
  const folder = path.join(ROOT, '.tmp', 'apps', `${flavour}-${keyOf(flavour)}`);
  const packageDir = path.join(folder, 'node_modules', layer);
  if (fs.existsSync(path.join(folder, STAMP))) {
    layOver(packageDir, tarball);
  } else {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    writeManifest(folder, flavour, tarball, fixture);
    await npm(['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: folder });
    fs.writeFileSync(path.join(folder, STAMP), '');
  }
  assertOurs(folder, layer);
  return { folder, layer, packageDir, tarball };
}

/**
 * Installs (or finds installed) the app `fixture` of test/fixtures/apps on egg 3 or egg 4 ('egg3', 'egg4').
 * Resolves to { baseDir, entry, packageDir, layer }: `entry` is what startCluster of the driver takes, the app's own egg;
 * `packageDir` is where this package lies inside the app. One flavour has one folder, so one fixture at a time lives in it.
 */
async function installedApp(flavour, { fixture = 'egg' } = {}) {
  if (!installed.has(flavour)) installed.set(flavour, install(flavour, fixture));
  const { folder, layer, packageDir, tarball } = await installed.get(flavour);
  for (const name of fs.readdirSync(folder)) {
    if (name !== 'node_modules' && name !== STAMP) fs.rmSync(path.join(folder, name), { recursive: true });
  }
  fs.cpSync(path.join(FIXTURES, fixture), folder, { recursive: true });
  writeManifest(folder, flavour, tarball, fixture);
  return { baseDir: folder, entry: path.join(folder, 'node_modules', 'egg'), packageDir, layer };
}

module.exports = { installedApp };
