'use strict';
// A running cluster that a test steers by its API, through test/fixtures/masters/steers.js.

const { startFolder, master } = require('./folder_cluster');

let asked = 0;

/** As startFolder; resolves when the cluster is ready and can be steered. */
async function startSteerable(name, options, settings) {
  const cluster = await startFolder(name, options, { starter: master('steers'), ...settings });
  await cluster.message('steerable');
  await cluster.ready();
  return cluster;
}

/** Calls a method of Cluster in the master. Resolves to { result } or { error: { code, message, cause } }. */
async function attempt(cluster, method, ...args) {
  const id = asked += 1;
  cluster.send({ action: 'steer', data: { id, method, args } });
  const { data } = await cluster.waitFor(() => cluster.messages.find(message => message?.action === 'steered' && message.data.id === id),
    { what: `the end of ${method}(${args.map(arg => JSON.stringify(arg)).join(', ')})` });
  return data;
}

/** As attempt(), where an error is none that was expected: rejects with it. */
async function steer(cluster, method, ...args) {
  const { result, error } = await attempt(cluster, method, ...args);
  if (error) throw Object.assign(new Error(`${method}: ${error.message}`), error);
  return result;
}

/** The `index`-th event of this name, or the first that passes `filter`. */
async function event(cluster, name, { index = 0, filter = () => true } = {}) {
  return cluster.waitFor(() => cluster.messages
    .filter(message => message?.action === 'cluster-event' && message.data.event === name)
    .map(({ data }) => data).filter(filter)[index],
  { what: `event #${index} '${name}'` });
}

module.exports = { startSteerable, attempt, steer, event };
