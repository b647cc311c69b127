'use strict';

// What becomes of a cluster while a scenario goes on.

const { ask } = require('../helpers/probe');

/** The messages with this action that came to the master's parent. */
function toParent(cluster, action) {
  return cluster.messages.filter(message => message.action === action);
}

/** Resolves to the pid of the 'agent' or 'app' with this number, once it has started. */
async function started(cluster, role, number) {
  const [, pid] = await cluster.output(new RegExp(String.raw`\[master\] ${role}_worker#${number}:(\d+) started `));
  return Number(pid);
}

/**
 * Has the processes of a scenario's run ({ cluster, agent, apps }) forget what came in so far. From now on `run.stdout` and `run.stderr`
 * are what the cluster has printed since.
 */
async function turnPage(run) {
  const { cluster, agent, apps } = run;
  for (const pid of [agent, ...apps]) await ask(cluster, pid, 'forget');
  const from = { stdout: cluster.stdout.length, stderr: cluster.stderr.length };
  for (const stream of ['stdout', 'stderr']) {
    Object.defineProperty(run, stream, { configurable: true, get: () => cluster[stream].slice(from[stream]) });
  }
}

module.exports = { toParent, started, turnPage };
