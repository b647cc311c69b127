'use strict';

// The verbs that are one order to a running cluster.

const { ControlClient } = require('../control_client');
const { locate } = require('../find_cluster');
const { withProgress } = require('../progress');
const { whole, idOrAgent, time } = require('../values');

const MAX_WORKERS = 1024;
const LOOK_EVERY_MS = 500;

/** Says meanwhile how many workers serve, where somebody looks. */
function watch(client, progress, what) {
  let ended = false;
  const look = async () => {
    if (ended) return;
    try {
      const { serving, target, workers } = await client.status();
      const booting = workers.filter(({ state }) => state === 'starting').length;
      progress.say(`${what}: ${serving} of ${target} serve${booting ? `, ${booting} starting` : ''}`);
    } catch {
      // The order itself says what is wrong.
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

async function order(name, body, says, { flags }, { stdout, stderr, cwd }) {
  const timeoutMs = time('--timeout', flags.timeout);
  const client = new ControlClient(locate(flags, cwd));
  const result = await withProgress(stderr, name, async progress => {
    const end = stderr.isTTY ? watch(client, progress, name) : () => {};
    try {
      return await client.order(name, body, { timeoutMs });
    } finally {
      end();
    }
  });
  stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${says(result ?? {})}\n`);
}

function nameOf(id) {
  return id === 'agent' ? 'the agent' : `worker ${id}`;
}

async function reload(command, io) {
  const { agent } = command.flags;
  return order('reload', agent === undefined ? {} : { agent }, result => {
    const { workers } = result;
    return `reloaded ${workers ?? 'all'} worker${workers === 1 ? '' : 's'}${result.agent ? ' and the agent' : ''}`;
  }, command, io);
}

async function upgrade(command, io) {
  return order('upgrade', {}, ({ pid }) => `upgraded${pid ? `: the master is ${pid} now` : ''}`, command, io);
}

async function scale(command, io) {
  const workers = whole('n', command.operands[0], { max: MAX_WORKERS });
  return order('scale', { workers }, result => `${result.workers ?? workers} workers`, command, io);
}

async function restart(command, io) {
  const id = idOrAgent(command.operands[0]);
  return order('restart', { id }, () => `${nameOf(id)} has a successor`, command, io);
}

async function isolate(command, io) {
  const id = whole('id', command.operands[0]);
  return order('isolate', { id }, () => `${nameOf(id)} gets no more connections; \`egg-clutch rejoin ${id}\` ends that`, command, io);
}

async function rejoin(command, io) {
  const id = whole('id', command.operands[0]);
  return order('rejoin', { id }, () => `${nameOf(id)} gets connections again`, command, io);
}

module.exports = { reload, upgrade, scale, restart, isolate, rejoin };
