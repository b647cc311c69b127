'use strict';
// Asks one process of a cluster to do something: the other half of test/fixtures/probe. The way there and back is the cluster's
// own: from the master's parent to one pid, and from a worker to the parent.

let asked = 0;

/** Resolves to the result of a command of test/fixtures/probe/commands.js in the process `pid`; rejects with its error. */
async function ask(cluster, pid, command, argument) {
  const id = asked += 1;
  cluster.send({ action: 'probe', receiverPid: String(pid), data: { id, command, argument } });
  const { data } = await cluster.waitFor(
    () => cluster.messages.find(message => message?.action === 'probe-answer' && message.data.id === id),
    { what: `the answer of ${pid} to '${command}'` });
  if (data.error) throw new Error(`'${command}' in ${pid}: ${data.error}`);
  return data.result;
}

/** The `index`-th time that a process of the cluster told its parent `action`; only of `pid`, if given. Resolves to the data. */
async function told(cluster, action, { pid, index = 0 } = {}) {
  const { data } = await cluster.waitFor(
    () => cluster.messages.filter(message => message?.action === action && (pid === undefined || message.data.pid === pid))[index],
    { what: `'${action}' of ${pid ?? 'any process'}` });
  return data;
}

module.exports = { ask, told };
