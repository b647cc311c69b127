'use strict';
// Says in one line what is missing, before a build or a test ends in somebody else's stack trace.
// Usage: node scripts/check_tools.js <build|start|test|ready|loom|miri|tsan|fuzz>
// Written for any Node that still starts: an old one must be able to read the line about itself.

const fs = require('fs');
const path = require('path');
const childProcess = require('child_process');

const ROOT = path.join(__dirname, '..');
// What the build tools of package.json ask for; the addon itself runs on every version of "engines".
const NODE_FOR_BUILDING = '20.19.0';

function versionOf(command, args) {
  const result = childProcess.spawnSync(command, args, { encoding: 'utf8' });
  if (result.error || result.status !== 0) return null;
  const found = /\d+\.\d+(\.\d+)?/.exec(result.stdout);
  return found ? found[0] : '0.0.0';
}

function isOlder(version, wanted) {
  const have = version.split('.').map(Number);
  const want = wanted.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    if ((have[i] || 0) !== (want[i] || 0)) return (have[i] || 0) < (want[i] || 0);
  }
  return false;
}

function rustVersionWanted() {
  return /^rust-version = "([^"]+)"/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8'))[1];
}

function checkNode() {
  if (process.platform !== 'linux') return 'egg-clutch runs on Linux; this is ' + process.platform;
  if (isOlder(process.versions.node, NODE_FOR_BUILDING)) {
    return 'Node.js ' + NODE_FOR_BUILDING + ' or newer is needed to build and test, this is ' + process.versions.node;
  }
  return null;
}

function checkPackages() {
  const found = fs.existsSync(path.join(ROOT, 'node_modules', '@napi-rs', 'cli'));
  return found ? null : 'the development packages are not installed: run `npm ci`';
}

function checkRust() {
  const wanted = rustVersionWanted();
  const hint = 'install Rust ' + wanted + ' or newer with rustup (https://rustup.rs)';
  if (!versionOf('cargo', ['--version'])) return 'cargo is not on the PATH: ' + hint;
  const rustc = versionOf('rustc', ['--version']);
  if (!rustc) return 'rustc is not on the PATH: ' + hint;
  return isOlder(rustc, wanted) ? 'rustc ' + rustc + ' is too old: ' + hint : null;
}

function checkLinker() {
  const found = versionOf('cc', ['--version']);
  return found ? null : 'a C linker (cc) is not on the PATH: install gcc and libc6-dev, on Debian `apt-get install gcc libc6-dev`';
}

function checkBrowser() {
  const found = require('../test/helpers/chromium_path').findChromium();
  return found ? null : 'no Chromium for the page test: install chromium, or set CHROMIUM_PATH to one';
}

function checkNamed(command, hint) {
  return function check() {
    const tools = require('./tools');
    return versionOf(tools.find(command), ['--version']) ? null : command + ' is not on the PATH: ' + hint;
  };
}

function checkMiri() {
  const found = versionOf('cargo', ['+nightly', 'miri', '--version']);
  return found ? null : 'miri is not installed: `rustup toolchain install nightly --component miri,rust-src`';
}

// The sanitizer's own standard library is built from its sources.
function checkNightlySources() {
  const root = childProcess.spawnSync('rustc', ['+nightly', '--print', 'sysroot'], { encoding: 'utf8' });
  const found = root.status === 0 && fs.existsSync(path.join(root.stdout.trim(), 'lib', 'rustlib', 'src', 'rust', 'library'));
  return found ? null : 'the sources of a nightly Rust are not installed: `rustup toolchain install nightly --component rust-src`';
}

function checkFuzz() {
  if (!versionOf('cargo', ['+nightly', '--version'])) return 'a nightly Rust is not installed: `rustup toolchain install nightly`';
  return checkNamed('cargo-fuzz', '`cargo install --locked cargo-fuzz`')();
}

const BUILD = [checkNode, checkPackages, checkRust, checkLinker];
const CHECKS = {
  build: BUILD,
  test: BUILD.concat(checkBrowser),
  loom: [checkNode, checkRust, checkLinker],
  miri: [checkNode, checkRust, checkMiri],
  tsan: [checkNode, checkRust, checkLinker, checkNightlySources],
  fuzz: [checkNode, checkRust, checkLinker, checkFuzz],
  ready: BUILD.concat(
    checkBrowser,
    checkNamed('git', 'install git'),
    checkNamed('typos', '`pip install typos` or `cargo install typos-cli`'),
    checkNamed('cargo-deny', '`cargo install --locked cargo-deny`'),
    checkFuzz
  ),
};

function checksFor(goal) {
  if (goal !== 'start') return CHECKS[goal];
  // A built addon is served as it is, so that a machine without Rust can still start.
  return require('./build').isUpToDate() ? [checkNode, checkPackages] : BUILD;
}

function main() {
  const goal = process.argv[2];
  // checkNode comes before anything that an old Node could not parse.
  const problem = checkNode() || checksFor(goal).reduce(function (found, check) {
    return found || check();
  }, null);
  if (!problem) return;
  process.stderr.write('egg-clutch: ' + problem + '\n');
  process.exitCode = 1;
}

main();
