'use strict';
// Orders to the master of test/fixtures/masters/asks_and_replies.js.

let orders = 0;

/** Resolves to { result } or { error }. */
async function orderMaster(cluster, method, ...args) {
  const id = orders += 1;
  cluster.send({ action: 'master-order', data: { id, method, args } });
  const { data } = await cluster.waitFor(
    () => cluster.messages.find(message => message?.action === 'master-answer' && message.data.id === id),
    { what: `the master's answer to '${method}'` });
  return data;
}

module.exports = { orderMaster };
