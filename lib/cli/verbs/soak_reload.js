'use strict';

const { ControlClient } = require('../control_client');
const { EXIT, CommandError } = require('../failures');
const { locate } = require('../find_cluster');
const { Load, ask, target } = require('../load');
const { withProgress } = require('../progress');
const { whole, time } = require('../values');

async function firstAnswer(where, address) {
  const { status, error } = await ask(where, false);
  if (error) throw new CommandError(`the app does not answer on ${address}: ${error}`);
  return status;
}

function resultOf(load, reloads, reloadMs) {
  return {
    reloads, reloadMs: Math.round(reloadMs), asked: load.asked, answered: load.answered, lost: load.lostCount,
    slowestMs: Math.round(load.slowestMs), losses: Object.fromEntries(load.lost),
  };
}

function text({ reloads, reloadMs, asked, answered, lost, slowestMs }, load) {
  return [
    `${reloads} reload${reloads === 1 ? '' : 's'} in ${(reloadMs / 1000).toFixed(1)} s: ${asked} requests, ${answered} answered, ${lost} lost; the slowest took ${slowestMs} ms`,
    ...load.lostWords().map(words => `  ${words}`), '',
  ].join('\n');
}

/** `egg-clutch soak-reload` */
async function soakReload({ flags }, { stdout, stderr, cwd }) {
  const reloads = whole('--reloads', flags.reloads ?? '1', { max: 100000 });
  const clients = whole('--clients', flags.clients ?? '8', { max: 1000 });
  const timeoutMs = time('--timeout', flags.timeout);
  const client = new ControlClient(locate(flags, cwd));
  const address = flags.url ?? (await client.status()).address;
  if (!address) throw new CommandError('the cluster has no address yet: it is not ready');
  const where = target(address, flags.path ?? '/');
  const load = new Load(where, clients, await firstAnswer(where, address));
  const began = Date.now();
  try {
    await withProgress(stderr, 'reloading', async progress => {
      for (let done = 0; done < reloads; done++) {
        progress.say(`reload ${done + 1} of ${reloads}: ${load.answered} answered, ${load.lostCount} lost`);
        await client.order('reload', {}, { timeoutMs });
      }
    });
  } finally {
    await load.end();
  }
  const result = resultOf(load, reloads, Date.now() - began);
  stdout.write(flags.json ? `${JSON.stringify(result)}\n` : text(result, load));
  return result.lost === 0 ? EXIT.done : EXIT.failed;
}

module.exports = { soakReload };
