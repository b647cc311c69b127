'use strict';

// What the commands read out of a status: the one place that knows the names of its fields. A field that a cluster does not tell is
// undefined, and shown as unknown. Pure.

/** Counted since the process was forked; 0 before V8 has told it for the first time. */
function vitalFacts(vitals) {
  const { eventLoop = {} } = vitals;
  return {
    uptimeMs: vitals.uptimeMs,
    cpuMs: vitals.cpuMs,
    memory: vitals.rss,
    heap: vitals.heapUsed || undefined,
    lagMs: eventLoop.lagMs,
    lagP99Ms: eventLoop.lagP99Ms,
    loop: eventLoop.utilization,
    connections: vitals.connections ?? undefined,
    sent: vitals.messages?.sent,
    received: vitals.messages?.received,
    queued: vitals.messages?.queued,
  };
}

/** An agent serves no requests. */
function requestFacts({ requests }) {
  return { requests: requests?.total, inFlight: requests?.inFlight, failed: requests?.['5xx'] };
}

/** Of one process: agent, worker or spare. */
function processFacts(found, role) {
  const { pid, id, slot, generation, state, isolated = false } = found;
  const vitals = found.vitals ?? {};
  return {
    role, key: role === 'agent' ? 'agent' : id, id, pid, slot, generation,
    state: isolated ? 'isolated' : state,
    ...vitalFacts(vitals),
    ...(role !== 'agent' && requestFacts(vitals)),
  };
}

/** All processes: the agent, those in service, the spares. */
function allProcesses(status) {
  return [
    ...(status.agent ? [processFacts(status.agent, 'agent')] : []),
    ...(status.workers ?? []).map(worker => processFacts(worker, 'app')),
    ...(status.spares ?? []).map(worker => processFacts(worker, 'spare')),
  ];
}

/** Of each action, by name, what all processes together have counted. */
function actionFacts({ messages }) {
  return Object.entries(messages?.actions ?? {}).map(([action, counts]) => {
    const { sent, received, bytes, dropped, queued, timeInQueue, listeners } = counts;
    return {
      action, sent, received, bytes, dropped, queued, slow: listeners.slow,
      waitMs: timeInQueue.timed > 0 ? timeInQueue.totalMs / timeInQueue.timed : undefined,
      runMs: listeners.timed > 0 ? listeners.totalMs / listeners.timed : undefined,
    };
  });
}

/** In one word what the cluster is doing. */
function conditionOf({ ready, leaving, stopping, reloading, degraded }) {
  if (stopping) return 'stopping';
  if (leaving) return 'leaving';
  if (!ready) return 'starting';
  if (reloading) return 'reloading';
  return degraded ? 'degraded' : 'ready';
}

module.exports = { actionFacts, allProcesses, conditionOf };
