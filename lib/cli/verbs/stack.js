'use strict';

const { ControlClient } = require('../control_client');
const { locate } = require('../find_cluster');
const { idOrAgent, time } = require('../values');
const { visible } = require('../visible');

const LIMIT_MS = 30000;

function nameOf(id) {
  return id === 'agent' ? 'the agent' : `worker ${id}`;
}

/** `egg-clutch stack <id|agent>` */
async function stack({ operands: [name], flags }, { stdout, cwd }) {
  const id = idOrAgent(name);
  const timeoutMs = time('--timeout', flags.timeout) ?? LIMIT_MS;
  const answer = await new ControlClient(locate(flags, cwd)).order('stack', { id }, { timeoutMs });
  if (flags.json) stdout.write(`${JSON.stringify(answer)}\n`);
  else stdout.write(`${answer.stack ? visible(answer.stack) : `${nameOf(id)} runs no JavaScript at the moment: it is idle, or blocked outside of it`}\n`);
}

module.exports = { stack };
