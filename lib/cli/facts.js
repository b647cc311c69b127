'use strict';

// What the commands read out of a status: the one place that knows the names of its fields. A field that a cluster does not tell is
// undefined, and shown as unknown. Pure.

/** Of one process: agent, worker or spare. */
function processFacts(found, role) {
  const { pid, id, slot, generation, state, isolated = false, connected } = found;
  return {
    role,
    key: role === 'agent' ? 'agent' : id,
    id, pid, slot, generation, connected,
    state: isolated ? 'isolated' : state,
    isStuck: found.stuck === true,
    uptimeMs: found.uptimeMs,
    lagMs: found.lagMs,
    lagP99Ms: found.lagP99Ms,
    cpu: found.cpu,
    memory: found.rss,
    heap: found.heapUsed,
    connections: found.connections,
    inFlight: found.inFlight,
    requests: found.requests,
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

/** In one word what the cluster is doing. */
function conditionOf({ ready, leaving, stopping, reloading, degraded }) {
  if (stopping) return 'stopping';
  if (leaving) return 'leaving';
  if (!ready) return 'starting';
  if (reloading) return 'reloading';
  return degraded ? 'degraded' : 'ready';
}

module.exports = { allProcesses, conditionOf };
