'use strict';
// The tarball as a user gets it: into a project far from this one, on a machine that has no Rust.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawnSync } = require('node:child_process');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { npm } = require('../helpers/npm');
const { packProject } = require('../helpers/pack');

const APP = 'module.exports = app => {\n  app.use(ctx => { ctx.body = { pid: process.pid }; });\n};\n';
const AGENT = 'module.exports = () => {};\n';

describe('the packed package', () => {
  let project;
  let env;
  let packed;

  before(async () => {
    project = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-user-'));
    const bin = path.join(project, '.bin');
    fs.mkdirSync(bin);
    fs.symlinkSync(process.execPath, path.join(bin, 'node'));
    fs.symlinkSync('/bin/sh', path.join(bin, 'sh'));
    env = { ...process.env, PATH: bin };
    fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', private: true }));
    fs.writeFileSync(path.join(project, 'app.js'), APP);
    fs.writeFileSync(path.join(project, 'agent.js'), AGENT);
    packed = await packProject();
    await npm(['install', '--no-audit', '--no-fund', packed.tarball], { cwd: project, env });
  });

  after(() => fs.rmSync(project, { recursive: true, force: true }));

  it('holds what a user needs and nothing else', () => {
    const top = new Set(packed.files.map(file => file.split('/')[0]));
    const addons = packed.files.filter(file => file.endsWith('.node'));
    assert.equal(addons.length, 1, `one addon, of this platform: ${addons}`);
    assert.deepEqual([...top].sort(), [
      'CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'binding.d.ts', 'binding.js', 'dist', addons[0], 'index.d.ts', 'index.js', 'lib', 'node_modules',
      'package.json',
    ].sort());
  });

  it('is installed where no Rust is on the path, and loads', () => {
    assert.equal(spawnSync('cargo', { env }).error?.code, 'ENOENT');
    const script = "require('egg-clutch').parseOptions({ baseDir: process.cwd(), workers: 3 }).then(o => console.log(o.workers))";
    const printed = execFileSync('node', ['-e', script], { cwd: project, env, encoding: 'utf8' });
    assert.equal(printed, '3\n');
  });

  it('lays none of its own dependencies beside those of the app, which may rely on other versions', () => {
    const laid = fs.readdirSync(path.join(project, 'node_modules')).filter(name => !name.startsWith('.'));
    assert.deepEqual(laid, ['egg-clutch']);
  });

  it('brings its command, also where it stands in by another name', async () => {
    const other = path.join(project, 'by-another-name');
    fs.mkdirSync(other);
    fs.writeFileSync(path.join(other, 'package.json'), JSON.stringify({ name: 'other', private: true, dependencies: { 'egg-cluster': `file:${packed.tarball}` } }));
    await npm(['install', '--no-audit', '--no-fund'], { cwd: other, env });
    const { version } = JSON.parse(fs.readFileSync(path.join(other, 'node_modules', 'egg-cluster', 'package.json'), 'utf8'));
    for (const folder of [project, other]) {
      const command = path.join(folder, 'node_modules', '.bin', 'egg-clutch');
      assert.equal(execFileSync(process.execPath, [command, '--version'], { cwd: folder, env, encoding: 'utf8' }), `${version}\n`);
    }
  });

  it('can be imported as an ES module', () => {
    const script = "import { startCluster, parseOptions } from 'egg-clutch'; console.log(typeof startCluster, typeof parseOptions);";
    const printed = execFileSync('node', ['--input-type=module', '-e', script], { cwd: project, env, encoding: 'utf8' });
    assert.equal(printed, 'function function\n');
  });

  it('starts a cluster there, serves from its workers and stops', async () => {
    const port = await freePort();
    const entry = path.join(project, 'node_modules', 'egg-clutch');
    const cluster = startCluster({ baseDir: project, port, workers: 2 }, { entry, env: { PATH: env.PATH }, cwd: project });
    await cluster.ready();
    const { pid } = await getJson(port, '/');
    assert.ok(cluster.appPids().includes(pid));
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  });
});
