'use strict';
// Orders to one process of a cluster whose app obeys (test/fixtures/orders), by the cluster's own way from parent to pid.

let given = 0;

/** Gives an order that nobody answers, because the process is not expected to live on. */
function tell(cluster, pid, command, argument) {
  const id = given += 1;
  cluster.send({ action: 'order', receiverPid: String(pid), data: { id, command, argument } });
  return id;
}

/** Resolves to what the process answers: its result, or { error: { message, code, name, syscall } }. */
async function attempt(cluster, pid, command, argument) {
  const id = tell(cluster, pid, command, argument);
  const { data } = await cluster.waitFor(
    () => cluster.messages.find(message => message?.action === 'order-answer' && message.data.id === id),
    { what: `the answer of ${pid} to '${command}'` });
  return data;
}

/** As attempt(), where an error is none that was expected: rejects with it. */
async function order(cluster, pid, command, argument) {
  const { result, error } = await attempt(cluster, pid, command, argument);
  if (error) throw new Error(`'${command}' in ${pid}: ${error.message}`);
  return result;
}

module.exports = { tell, attempt, order };
