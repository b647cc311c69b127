'use strict';

// What happens in the cluster, in words, and the last of it. Pure.

const MAX_HAPPENINGS = 100;

function worker({ id, pid }) {
  return `worker ${id}${pid ? ` (process ${pid})` : ''}`;
}

/** Why a process has ended, for people. */
function endOf({ cause, code, signal }) {
  if (cause?.words) return cause.words;
  return signal ? `was ended by ${signal}` : `ended with code ${code ?? 'unknown'}`;
}

const STAGES = { steer: 'stands still', kill: 'has stood still for too long, and is replaced', over: 'has come back to its event loop' };

/** By event: the words, and whether somebody should care. */
const SENTENCES = {
  'worker-started': data => [`${worker(data)} starts`],
  'worker-ready': data => [`${worker(data)} serves`],
  'worker-isolated': data => [`${worker(data)} gets no more connections`],
  'worker-rejoined': data => [`${worker(data)} gets connections again`],
  'spare-ready': data => [`${worker(data)} waits as a spare`],
  'worker-exited': data => [`${worker(data)}: ${endOf(data)}`, data.reason !== 'asked'],
  'agent-started': ({ pid }) => [`the agent starts (process ${pid})`],
  'agent-exited': data => [`the agent: ${endOf(data)}`, data.reason !== 'asked'],
  'stuck': ({ role, id, stage }) => [`${role === 'agent' ? 'the agent' : `worker ${id}`} ${STAGES[stage] ?? 'stands still'}`, stage !== 'over'],
  'reload-started': ({ count }) => [`reloads ${count ?? 'all'} workers`],
  'reload-done': ({ count, agent }) => [`reloaded: ${count ?? 'all'} workers${agent ? ' and the agent' : ''} are new`],
  'reload-failed': data => [`the reload has ended: ${worker(data)} did not get ready`, true],
  'degraded': ({ serving, target }) => [`only ${serving} of ${target} serve`, true],
  'recovered': ({ serving, target }) => [`${serving} of ${target} serve again`],
  'stopping': () => ['the cluster stops'],
  'message-dropped': ({ action, count = 1 }) => [`messages were dropped: ${count}${action ? ` of ${action}` : ''}`, true],
  'exit': ({ code }) => [`the cluster has ended with code ${code}`, true],
};

/** { text, isBad } of an event, or null where it says nothing to people. */
function sentenceOf(name, data) {
  const [text, isBad = false] = SENTENCES[name]?.(data) ?? [];
  return text ? { text, isBad } : null;
}

/** The newest first. */
function withHappening(happenings, happening) {
  return [happening, ...happenings].slice(0, MAX_HAPPENINGS);
}

module.exports = { SENTENCES, sentenceOf, withHappening };
