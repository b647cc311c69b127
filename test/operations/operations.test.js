'use strict';
// The files of docs/operations, as far as they can be tried without the service that they are for.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const yaml = require('js-yaml');
const { SCRIPT, appFolder, runCommand } = require('../helpers/command');
const { freePort } = require('../helpers/free_port');
const { get } = require('../helpers/http_client');
const { runFolder } = require('../helpers/run_folder');
const { systemTool } = require('../helpers/system_tool');
const { runTool } = require('../helpers/tool_process');
const { until } = require('../helpers/waiting');

const ROOT = path.join(__dirname, '..', '..');
const FILES = path.join(ROOT, 'docs', 'operations');
const OK = { code: 0, signal: null };

const read = name => fs.readFileSync(path.join(FILES, name), 'utf8');

/** Milliseconds of '5s' and the like. */
const seconds = text => Number(/^(\d+)s$/.exec(text)[1]);

/** The app of a container: start.js beside it, and the package where require() finds it. */
function containerFolder() {
  const folder = appFolder();
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules', 'egg-clutch'));
  fs.copyFileSync(path.join(FILES, 'start.js'), path.join(folder, 'start.js'));
  return folder;
}

describe('the files for operations', () => {
  it('egg-clutch.service is a unit that systemd understands', () => {
    const unit = read('egg-clutch.service')
      .replace('/usr/bin/node', process.execPath)
      .replace('/srv/shop/node_modules/.bin/egg-clutch', SCRIPT)
      .replaceAll('/srv/shop', ROOT);
    const file = path.join(runFolder(), 'egg-clutch.service');
    fs.writeFileSync(file, unit);
    const tried = systemTool('systemd-analyze', ['verify', '--man=no', file]);
    if (tried) assert.deepEqual(tried, { status: 0, output: '' });
  });

  it('what the unit runs reloads at SIGHUP, and ends at SIGTERM well within its TimeoutStopSec', async () => {
    const baseDir = appFolder();
    const port = await freePort();
    const tool = runCommand(baseDir, ['start', baseDir], { env: { PORT: String(port), EGG_WORKERS: '1' } });
    await tool.output(/egg-clutch started on/);
    const first = (await get(port, '/')).json().pid;
    tool.kill('SIGHUP');
    await until(async () => (await get(port, '/')).json().pid !== first, 'an answer by the successor');
    assert.deepEqual(await tool.stop(), OK);
    const [, limit] = /^TimeoutStopSec=(\d+)$/m.exec(read('egg-clutch.service'));
    assert.ok(Number(limit) > 2 * 5, 'workers, then the agent');
  });

  it('the Dockerfile runs the master itself, which ends at its STOPSIGNAL', async () => {
    const text = read('Dockerfile');
    const command = JSON.parse(/^CMD (\[.*\])$/m.exec(text)[1]);
    assert.equal(command[0], 'node');
    const [, signal] = /^STOPSIGNAL (\w+)$/m.exec(text);
    const folder = containerFolder();
    const port = await freePort();
    const tool = runTool(path.join(folder, command[1]), [], { cwd: folder, env: { PORT: String(port) } });
    await tool.output(/egg-clutch started on/);
    assert.equal((await get(port, '/')).status, 200);
    assert.deepEqual(await tool.stop(signal), OK);
  });

  it('Kubernetes waits longer than the cluster takes to end, and serves on meanwhile', async () => {
    const [deployment, service] = yaml.loadAll(read('kubernetes.yaml'));
    const { terminationGracePeriodSeconds: grace, containers: [container] } = deployment.spec.template.spec;
    const delay = container.env.find(({ name }) => name === 'PRE_STOP_DELAY').value;
    const drain = seconds(/drain: '(\w+)'/.exec(read('start.js'))[1]);
    assert.ok(grace > seconds(delay) + 2 * drain, `${grace} s is too short`);
    const port = container.ports.find(({ name }) => name === 'http').containerPort;
    assert.ok(read('Dockerfile').includes(`EXPOSE ${port}\n`));
    assert.equal(service.spec.ports[0].targetPort, 'http');
    assert.deepEqual(service.spec.selector, deployment.spec.template.metadata.labels);

    const folder = containerFolder();
    const ownPort = await freePort();
    const tool = runTool(path.join(folder, 'start.js'), [], { cwd: folder, env: { PORT: String(ownPort), PRE_STOP_DELAY: delay } });
    await tool.output(/egg-clutch started on/);
    tool.kill('SIGTERM');
    await tool.output(/SIGTERM/);
    assert.equal((await get(ownPort, '/')).status, 200);
    // Asked again it hurries.
    assert.deepEqual(await tool.stop('SIGTERM'), OK);
  });

  it('prometheus.yml and alerts.yml are what Prometheus understands', () => {
    const tried = systemTool('promtool', ['check', 'config', path.join(FILES, 'prometheus.yml')]);
    if (tried) assert.equal(tried.status, 0, tried.output);
  });

  it('alerts.yml tells of processes that die, and not of those that a reload asks to leave', () => {
    const deaths = (instance, cause) => ({ series: `egg_clutch_deaths_total{instance="${instance}",role="app",cause="${cause}"}`, values: '0+1x20' });
    const rules = {
      rule_files: [path.join(FILES, 'alerts.yml')],
      tests: [{
        interval: '1m',
        input_series: [deaths('dies', 'killed'), deaths('reloads', 'asked')],
        alert_rule_test: [{
          eval_time: '15m',
          alertname: 'ProcessesDie',
          exp_alerts: [{
            exp_labels: { instance: 'dies', role: 'app', cause: 'killed' },
            exp_annotations: { summary: 'The app at dies keeps dying: killed.' },
          }],
        }],
      }],
    };
    const file = path.join(runFolder(), 'alerts_test.yml');
    fs.writeFileSync(file, yaml.dump(rules));
    const tried = systemTool('promtool', ['test', 'rules', file]);
    if (tried) assert.equal(tried.status, 0, tried.output);
  });

  it('grafana.json has no two panels in one place, and asks for what promtool can parse', () => {
    const { panels } = JSON.parse(read('grafana.json'));
    assert.equal(new Set(panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size, panels.length);
    const rules = panels.flatMap(({ targets }) => targets.map(({ expr }, index) => (
      { record: `panel:${index}`, expr: expr.replaceAll('$__rate_interval', '1m') })));
    const file = path.join(runFolder(), 'panels.yml');
    fs.writeFileSync(file, yaml.dump({ groups: [{ name: 'panels', rules }] }));
    const tried = systemTool('promtool', ['check', 'rules', '--lint=none', file]);
    if (tried) assert.equal(tried.status, 0, tried.output);
  });

  it('nginx in front loses no request while the cluster reloads', async () => {
    const baseDir = appFolder();
    const [port, front] = [await freePort(), await freePort()];
    const folder = path.join(runFolder(), 'nginx');
    fs.mkdirSync(folder, { recursive: true });
    const site = read('nginx.conf').replace('127.0.0.1:7001', `127.0.0.1:${port}`).replace('listen 8080', `listen 127.0.0.1:${front}`);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join('\n');
    const file = path.join(folder, 'nginx.conf');
    fs.writeFileSync(file, `daemon off;\npid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`);
    const tried = systemTool('nginx', ['-t', '-c', file]);
    if (!tried) return;
    assert.equal(tried.status, 0, tried.output);

    const tool = runCommand(baseDir, ['start', baseDir, `--port=${port}`, '--workers=2']);
    await tool.output(/egg-clutch started on/);
    const nginx = spawn('nginx', ['-c', file], { stdio: 'ignore' });
    const gone = new Promise(resolve => { nginx.once('exit', resolve); });
    try {
      await until(() => get(front, '/').then(({ status }) => status === 200, () => false), 'an answer of nginx');
      const pids = new Set();
      await until(async () => pids.add((await get(front, '/')).json().pid).size === 2, 'answers by both workers');
      tool.kill('SIGHUP');
      await until(async () => {
        const answers = await Promise.all(Array.from({ length: 8 }, () => get(front, '/')));
        for (const answer of answers) {
          assert.equal(answer.status, 200);
          pids.add(answer.json().pid);
        }
        return pids.size === 4;
      }, 'answers by both successors');
    } finally {
      nginx.kill();
      await gone;
    }
    assert.deepEqual(await tool.stop(), OK);
  });
});
