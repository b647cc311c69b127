'use strict';
// Whatever goes wrong before the cluster is ready ends the master with code 1, with a line that says what it was, and nobody left.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { startFolder, master } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { runFolder } = require('../helpers/run_folder');

const FRAMEWORKS = path.join(__dirname, '..', 'fixtures', 'frameworks');
const PRIVILEGED = Number(fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) - 1;
const FAILED = { code: 1, signal: null };

/** Starts what cannot start, and resolves to what it printed at its end. */
async function fail(name, options, settings) {
  const cluster = await startFolder(name, options, settings);
  assert.deepEqual(await cluster.exit(), FAILED, cluster.describe());
  await cluster.assertNothingLeft();
  assert.deepEqual(cluster.messages, []);
  return cluster;
}

const altered = config => ({ starter: master('altered'), env: { ALTERED: JSON.stringify(config) } });
const dies = how => ({ env: { DIES: how } });

/** A file with these contents and mode in the folder of this run. */
function file(name, text, mode) {
  const place = path.join(runFolder(), name);
  fs.writeFileSync(place, text, { mode });
  return place;
}

/** A folder that nobody may write to. */
function forbiddenFolder() {
  const folder = fs.mkdtempSync(path.join(runFolder(), 'forbidden'));
  fs.chmodSync(folder, 0o555);
  return folder;
}

describe('a cluster whose processes cannot be started', () => {
  for (const [what, execPath, reason] of [
    ['a node binary that does not exist', () => '/no/such/node', /cannot start "\/no\/such\/node" \(Exec\): execve: ENOENT/],
    ['a node binary that may not be executed', () => file('not_executable', '#!/bin/sh\n', 0o644), /\(Exec\): execve: EACCES/],
    ['a node binary that is no program', () => file('no_program', 'what?', 0o755), /\(Exec\): execve: ENOEXEC/],
    ['a node binary that is a directory', () => FRAMEWORKS, /\(Exec\): execve: EACCES/],
  ]) {
    it(`ends with code 1 at ${what}`, async () => {
      const { stderr } = await fail('dies_while_booting', {}, altered({ execPath: execPath() }));
      assert.match(stderr, /\[master\] agent_worker#1 could not be forked: cannot start /);
      assert.match(stderr, reason);
      assert.match(stderr, /\[master\] agent_worker#1:0 start fail, exiting with code:1/);
      assert.match(stderr, /\[master\] exit with code:1/);
    });
  }

  it('ends with code 1 when the script of the agent is missing', async () => {
    const { stderr } = await fail('dies_while_booting', {}, altered({ agent: { script: '/no/such/agent_worker.js', execArgv: [], isRestored: false } }));
    assert.match(stderr, /Cannot find module '\/no\/such\/agent_worker\.js'/);
    assert.match(stderr, /agent_worker#1:\d+ died \(code: 1, signal: null\)/);
    assert.match(stderr, /agent_worker#1:\d+ start fail, exiting with code:1/);
  });

  it('ends with code 1 when the script of the apps is missing', async () => {
    const { stderr } = await fail('dies_while_booting', {}, altered({ app: { script: '/no/such/app_worker.js', execArgv: [], isRestored: false } }));
    assert.match(stderr, /app_worker#\d:\d+ died \(code: \w+, signal: null/);
    assert.match(stderr, /app_worker#\d:\d+ start fail, exiting with code:1/);
  });

  it('ends with code 1 and leaves nobody, whichever descriptor is the one that is missing', async () => {
    const reasons = new Set();
    for (let room = 0; ; room++) {
      const cluster = await startFolder('dies_while_booting', {}, { starter: master('short_of_descriptors'), env: { ROOM: String(room) } });
      const ready = await cluster.waitFor(() => cluster.messages.length > 0 || cluster.closed && 'closed', { what: 'a start or an end' });
      if (ready === true) {
        await cluster.stop();
        break;
      }
      assert.deepEqual(await cluster.exit(), FAILED);
      await cluster.assertNothingLeft();
      const [, who, reason] = cluster.stderr.match(/(\w+)_worker#\d could not be forked: (.*EMFILE.*)/);
      assert.match(cluster.stderr, new RegExp(`${who}_worker#\\d:0 start fail, exiting with code:1`));
      reasons.add(`${who}: ${reason}`);
    }
    assert.ok(reasons.size > 3, [...reasons].join('\n'));
  });
});

describe('a cluster one of whose processes does not boot', () => {
  const AGENT_FAILS = /agent_worker#1:\d+ start fail, exiting with code:1/;
  const APP_FAILS = /app_worker#\d:\d+ start fail, exiting with code:1/;
  for (const [what, how, ...lines] of [
    ['an agent that throws while it loads', 'agent:throw', /this one never boots/, AGENT_FAILS],
    ['an agent that fails on the way', 'agent:later', /this one boots half of the way/, /\[agent_worker\] start error/, AGENT_FAILS],
    ['an agent that is killed', 'agent:kill', /agent_worker#1:\d+ died \(code: null, signal: SIGKILL\)/, AGENT_FAILS],
    ['an agent that exits', 'agent:exit', /agent_worker#1:\d+ died \(code: 7, signal: null\)/, AGENT_FAILS],
    ['an agent that is killed while the apps boot', 'agent-of-apps:kill', /signal: SIGKILL/, AGENT_FAILS],
    ['apps that throw while they load', 'app:throw', /this one never boots/, APP_FAILS],
    ['apps that fail on the way', 'app:later', /this one boots half of the way/, /\[app_worker\] start error/, APP_FAILS],
    ['one app that is killed', 'one-app:kill', /app_worker#1:\d+ died \(code: null, signal: SIGKILL/, APP_FAILS],
    ['one app that exits', 'one-app:exit', /app_worker#1:\d+ died \(code: 7, signal: null/, APP_FAILS],
    ['one app that closes its channel', 'one-app:disconnect', /app_worker#1:\d+ died \(code: 0, signal: null/, APP_FAILS],
  ]) {
    it(`ends with code 1 at ${what}, and starts nobody again`, async () => {
      const { stdout, stderr } = await fail('dies_while_booting', {}, dies(how));
      for (const line of lines) assert.match(stderr, line);
      assert.match(stderr, /\[master\] exit with code:1/);
      assert.doesNotMatch(stdout, /app_worker#3/);
      assert.doesNotMatch(stdout, /agent_worker#2/);
    });
  }

  it('ends with code 1 when the only app is killed in the moment it listens', async () => {
    const { stderr } = await fail('dies_when_listening', { workers: 1 }, { env: { DIES_WHEN: 'before,1' } });
    assert.match(stderr, APP_FAILS);
  });
});

describe('a cluster that cannot listen', () => {
  it('ends with code 1 when the port is taken', async () => {
    const port = await freePort();
    const server = net.createServer();
    await new Promise(resolve => server.listen(port, resolve));
    try {
      const { stderr } = await fail('dies_while_booting', { port });
      assert.ok(stderr.includes(`[app_worker] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE`), stderr);
      assert.match(stderr, /app_worker#\d:\d+ start fail, exiting with code:1/);
    } finally {
      server.close();
    }
  });

  it('ends with code 1 when the folder of its socket is not for this user', async () => {
    const LISTEN_PATH = path.join(forbiddenFolder(), 'app.sock');
    const { stderr } = await fail('dies_while_booting', { port: undefined }, { starter: master('nobody'), env: { LISTEN_PATH } });
    assert.ok(stderr.includes(`[app_worker] server got error: bind EACCES ${LISTEN_PATH}, code: EACCES`), stderr);
    assert.match(stderr, /app_worker#\d:\d+ start fail, exiting with code:1/);
  });

  // In many containers there is no such port.
  if (PRIVILEGED > 0) {
    it('ends with code 1 when the port is not for everybody', async () => {
      const { stderr } = await fail('dies_while_booting', { port: PRIVILEGED }, { starter: master('nobody') });
      assert.ok(stderr.includes(`[app_worker] server got error: bind EACCES null:${PRIVILEGED}, code: EACCES`), stderr);
    });
  }
});

describe('a cluster without a usable framework', () => {
  for (const [what, framework, reason] of [
    ['is not there', path.join(FRAMEWORKS, 'of_nobody'), /of_nobody should exist/],
    ['has no name that anybody knows', 'framework-of-nobody', /framework-of-nobody is not found in /],
    ['has no Agent', path.join(FRAMEWORKS, 'without_agent'), /should define Agent in .*without_agent/],
    ['has no Application', path.join(FRAMEWORKS, 'without_application'), /should define Application in .*without_application/],
    ['throws', path.join(FRAMEWORKS, 'that_throws'), /that_throws could not be loaded: this framework is broken/],
  ]) {
    it(`ends with code 1 when it ${what}, and forks nobody`, async () => {
      const { stdout, stderr } = await fail('dies_while_booting', { framework });
      assert.match(stderr, reason);
      assert.equal(stdout, '');
    });
  }
});

describe('a cluster whose pid file cannot be written', () => {
  for (const [what, pidFile, reason] of [
    ['its directory is a file', () => path.join(file('a_file', ''), 'master.pid'), /pidFile .*a_file\/master\.pid could not be written: .*os error (17|20)/],
    ['it is a directory', () => runFolder(), /pidFile .* could not be written: Is a directory/],
    ['nobody can write there', () => '/proc/master.pid', /pidFile \/proc\/master\.pid could not be written: /],
  ]) {
    it(`ends with code 1 when ${what}, and forks nobody`, async () => {
      const { stdout, stderr } = await fail('dies_while_booting', { pidFile: pidFile() });
      assert.match(stderr, reason);
      assert.match(stderr, /ERR_CLUTCH_BOOT/);
      assert.equal(stdout, '');
    });
  }

  it('ends with code 1 when this user may not write there, and forks nobody', async () => {
    const pidFile = path.join(forbiddenFolder(), 'master.pid');
    const { stdout, stderr } = await fail('dies_while_booting', { pidFile }, { starter: master('nobody') });
    assert.match(stderr, /pidFile .*forbidden.* could not be written: Permission denied/);
    assert.equal(stdout, '');
  });
});

describe('a master that inherited the home of another user', () => {
  it('starts, although it may not look for a framework there', async () => {
    const HOME = fs.mkdtempSync(path.join(runFolder(), 'home'));
    fs.chmodSync(HOME, 0o000);
    const cluster = await startFolder('dies_while_booting', {}, { starter: master('nobody'), env: { HOME } });
    await cluster.ready();
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  });
});

describe('a master whose code stands on its command line', () => {
  it('starts workers, and not copies of itself', async () => {
    // Should a worker run this code, it ends in the second generation.
    const code = `if (process.env.GENERATION) { console.error('AGAIN'); process.exit(9); } process.env.GENERATION = '2';
      require(process.argv[3]).startCluster(JSON.parse(process.argv[2]));`;
    const cluster = await startFolder('dies_while_booting', {}, { execArgv: ['-e', code] });
    await cluster.ready();
    assert.doesNotMatch(cluster.stderr, /AGAIN/);
    assert.ok(cluster.workers().every(({ argv }) => !argv.includes('-e')), JSON.stringify(cluster.workers()));
  });
});
