'use strict';

// Who receives which message, and how it looks there. One cluster in env unittest, whose output goes into a file: what stands there
// when `egg-ready` comes was written before.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { ask } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');
const { scenario } = require('./contract');
const { logged } = require('./log');

const nobody = () => [];
const agent = who => [who.agent];
const apps = who => who.apps;
const secondApp = who => [who.apps[1]];
const parent = () => ['parent'];

/** What is sent under each line: the sender, the message, its receivers, and what becomes of it besides `from`. */
const CASES = {
  '4.2.1': [
    ['app', who => ({ receiverPid: String(who.agent), to: 'app' }), agent, { to: 'agent' }],
    ['app', who => ({ receiverPid: String(who.apps[1]), to: 'agent' }), secondApp, { to: 'app' }],
    ['app', who => ({ receiverPid: String(who.apps[0]), to: 'parent' }), who => [who.apps[0]], { to: 'app' }],
    ['agent', who => ({ receiverPid: String(who.apps[1]) }), secondApp, { to: 'app' }],
    ['agent', who => ({ receiverPid: String(who.agent) }), agent, { to: 'agent' }],
    ['parent', who => ({ receiverPid: String(who.apps[1]) }), secondApp, { to: 'app' }],
    ['parent', who => ({ receiverPid: String(who.agent) }), agent, { to: 'agent' }],
    ['app', who => ({ receiverPid: String(who.master), to: 'app' }), nobody],
    ['app', () => ({ receiverPid: '1', to: 'app' }), nobody],
    ['app', who => ({ receiverPid: who.apps[1] }), nobody],
    ['agent', who => ({ receiverPid: who.apps[1] }), nobody],
  ],
  'v3 4.2.1': [
    ['app', who => ({ receiverWorkerId: String(who.apps[1]), receiverPid: String(who.apps[0]) }), secondApp, { to: 'app' }],
    ['app', who => ({ receiverWorkerId: String(who.agent) }), agent, { to: 'agent' }],
  ],
  '4.2.2': [
    ['agent', () => ({}), apps, { to: 'app' }],
    ['app', () => ({}), agent, { to: 'agent' }],
    ['parent', () => ({}), nobody],
  ],
  '4.2.3': ['app', 'agent', 'parent'].map(sender => [sender, () => ({ to: 'app' }), apps]),
  '4.2.4': ['app', 'agent', 'parent'].map(sender => [sender, () => ({ to: 'agent' }), agent]),
  '4.2.5': [
    ...['app', 'agent', 'parent'].map(sender => [sender, () => ({ to: 'parent' }), parent]),
    ...['app', 'agent', 'parent'].map(sender => [sender, () => ({ to: 'master' }), nobody]),
    ...['app', 'agent', 'parent'].map(sender => [sender, () => ({ to: 'somebody' }), nobody]),
  ],
  '4.2.6': [
    ['app', () => ({ from: 'parent', extra: { kept: [true] } }), agent, { to: 'agent' }],
    ['app', () => 'a bare text', agent, { action: 'a bare text', data: 'a bare text', to: 'agent' }],
    ['agent', () => 'another bare text', apps, { action: 'another bare text', data: 'another bare text', to: 'app' }],
  ],
};

let sent = 0;

/** Sends what stands in a case; resolves to what everybody is to receive, as { message, receivers }. */
async function send({ cluster, who }, [sender, message, receivers, becomes]) {
  const written = message(who);
  const whole = typeof written === 'string' ? written : { action: 'contract', data: sent += 1, ...written };
  if (sender === 'parent') cluster.send(whole);
  else await ask(cluster, sender === 'agent' ? who.agent : who.apps[0], 'sendRaw', whole);
  return { message: { ...(typeof whole === 'object' && whole), from: sender, ...becomes }, receivers: receivers(who) };
}

/** Every process gets a fence from every sender after all else, so that nothing more can come. */
async function fence({ cluster, who }) {
  for (const to of ['app', 'agent']) {
    for (const pid of [who.agent, who.apps[0]]) await ask(cluster, pid, 'sendRaw', { action: 'fence', data: pid, to });
    cluster.send({ action: 'fence', data: 'parent', to });
  }
  for (const pid of [who.agent, ...who.apps]) await ask(cluster, pid, 'when', { action: 'fence', count: 3 });
}

function isOfCase(message) {
  return message?.action === 'contract' || /bare text/.test(message?.action ?? message);
}

scenario('messages', {
  async start(subject) {
    const folder = path.join(runFolder(), `messages of ${subject.name}`);
    fs.mkdirSync(folder);
    const [pidFile, outputFile] = ['master.pid', 'stdout'].map(name => path.join(folder, name));
    const output = fs.openSync(outputFile, 'w');
    const cluster = await subject.start({ pidFile, env: 'unittest' }, { env: { HOST: 'my.example' }, stdio: ['ignore', output, 'pipe', 'ipc'] });
    fs.closeSync(output);
    const stdout = () => fs.readFileSync(outputFile, 'utf8');
    const whenReady = await cluster.waitFor(() => cluster.messages.some(({ action }) => action === 'egg-ready') && stdout());
    const [first, second] = cluster.appPids().sort((a, b) => a - b);
    const run = { cluster, pidFile, stdout, whenReady, who: { master: cluster.pid, agent: cluster.agentPid(), apps: [first, second] } };
    run.expected = {};
    for (const [id, cases] of Object.entries(CASES)) {
      run.expected[id] = [];
      for (const one of cases) run.expected[id].push(await send(run, one));
    }
    await fence(run);
    run.received = { parent: cluster.messages.filter(isOfCase) };
    for (const pid of [run.who.agent, ...run.who.apps]) run.received[pid] = (await ask(cluster, pid, 'all')).filter(isOfCase);
    return run;
  },
}, (line, step) => {
  line('4.1.0', ({ cluster, whenReady }) => {
    assert.match(whenReady, logged(cluster, String.raw`small started on http://\S+ \(\d+ms\)`));
    assert.match(whenReady, logged(cluster, String.raw`agent_worker#1:\d+ started \(\d+ms\)`));
  });

  line('4.1.3', ({ cluster, whenReady }) => {
    const [, printed] = /start with options: (.*)\n/.exec(whenReady);
    assert.match(whenReady, logged(cluster, String.raw`start with options: \{.*"startMode":"process".*\}`));
    assert.equal(JSON.parse(printed).pidFile, cluster.options.pidFile);
  });

  line('4.4.1', async ({ cluster }) => {
    const { port } = cluster.options;
    assert.deepEqual(await cluster.ready(), { port, address: `http://my.example:${port}`, protocol: 'http' });
  });

  const routed = id => ({ expected, received }) => {
    for (const { message, receivers } of expected[id]) {
      for (const [who, messages] of Object.entries(received)) {
        const found = messages.filter(({ action, data }) => action === message.action && data === message.data);
        const wanted = receivers.map(String).includes(who) ? [message] : [];
        assert.deepEqual(found, wanted, `${JSON.stringify(message)} in ${who}`);
      }
    }
  };
  for (const id of Object.keys(CASES).filter(id => !id.startsWith('v3'))) line(id, routed(id));
  line('4.2.1', routed('v3 4.2.1'), { of: ({ version }) => version === 3 });

  step('SIGQUIT', async ({ cluster, pidFile }) => {
    fs.rmSync(pidFile);
    await cluster.stop('SIGQUIT');
  }, line => {
    line('4.1.22', ({ cluster, stdout }) => assert.match(stdout(), logged(cluster, 'master is killed by signal SIGQUIT, closing')));
    line('4.3.1', ({ cluster }) => assert.equal(cluster.stderr, ''));
    line('6.1', ({ cluster }) => assert.deepEqual(cluster.ended, { code: 0, signal: null }));
  });
});
