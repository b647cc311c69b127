'use strict';
// Where a Chromium is: CHROMIUM_PATH, then the system's, then the one inside the npm package @sparticuz/chromium,
// which is unpacked into .tmp on first use and needs nothing from the system.

const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const ROOT = path.join(__dirname, '..', '..');
const PACKAGE = '@sparticuz/chromium';
const OF_THE_SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

function packagedVersion() {
  // The package brings one binary, for x64.
  if (process.arch !== 'x64') return null;
  const manifest = path.join(ROOT, 'node_modules', PACKAGE, 'package.json');
  return fs.existsSync(manifest) ? JSON.parse(fs.readFileSync(manifest, 'utf8')).version : null;
}

/** { executablePath } or { packaged: version }, or null where there is none. Nothing is unpacked by asking. */
function findChromium() {
  if (process.env.CHROMIUM_PATH) return { executablePath: process.env.CHROMIUM_PATH };
  const executablePath = OF_THE_SYSTEM.find(file => fs.existsSync(file));
  if (executablePath) return { executablePath };
  const packaged = packagedVersion();
  return packaged ? { packaged } : null;
}

/** Unpacks the packaged Chromium once per version and returns its folder. */
function unpack(version) {
  const folder = path.join(ROOT, '.tmp', `chromium-${version}`);
  if (fs.existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}`;
  fs.rmSync(partial, { recursive: true, force: true });
  fs.mkdirSync(partial, { recursive: true });
  // The package unpacks below os.tmpdir(), and brings its own libnss3 and libexpat only where it believes itself on AWS Lambda.
  const { status, stderr } = spawnSync(process.execPath, ['-e', `require('${PACKAGE}').executablePath()`], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: partial, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${PACKAGE} could not be unpacked: ${stderr}`);
  try {
    fs.renameSync(partial, folder);
  } catch (error) {
    // Another test run was faster; its folder is as good.
    if (!fs.existsSync(folder)) throw error;
    fs.rmSync(partial, { recursive: true });
  }
  return folder;
}

function lacksLibraries(executablePath) {
  return spawnSync('ldd', [executablePath], { encoding: 'utf8' }).stdout.includes('not found');
}

/** { executablePath, env } to launch; throws where there is no Chromium at all. */
function chromiumToLaunch() {
  const found = findChromium();
  if (!found) throw new Error('no Chromium: install chromium, or set CHROMIUM_PATH to one');
  const env = { ...process.env };
  if (found.executablePath) return { executablePath: found.executablePath, env };
  const folder = unpack(found.packaged);
  const executablePath = path.join(folder, 'chromium');
  if (lacksLibraries(executablePath)) env.LD_LIBRARY_PATH = path.join(folder, 'al2023', 'lib');
  if (!fs.existsSync('/etc/fonts/fonts.conf')) env.FONTCONFIG_PATH = path.join(folder, 'fonts');
  return { executablePath, env };
}

module.exports = { findChromium, chromiumToLaunch };
