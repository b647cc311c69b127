'use strict';

// What the buttons do. Whichever worker gets the request passes it on to the process that it is about.

const { randomUUID } = require('node:crypto');
const { ASK, CRASH, LEAVE, METHODS, TEXT_LIMIT } = require('./messages');
const Refusal = require('./refusal');

/** @returns {Record<string, (body: object) => object>} the answer to each POST, by path */
module.exports = function makeActions({ messenger, me, view }) {
  function sendNote({ method, from, pid, text }) {
    if (!METHODS.includes(method)) throw new Refusal(400, `Unknown method; it is one of ${METHODS.join(', ')}.`);
    if (typeof text !== 'string' || text.trim() === '') throw new Refusal(400, 'The text is missing.');
    if (text.length > TEXT_LIMIT) throw new Refusal(400, `The text is too long; the limit is ${TEXT_LIMIT} characters.`);
    if (method === 'sendTo' && !view.knows(pid)) throw new Refusal(400, 'pid: no process of this cluster has that pid.');
    if (from !== undefined && !view.knows(from)) throw new Refusal(400, 'from: no process of this cluster has that pid.');

    const id = randomUUID();
    const sender = from ?? me.pid;
    messenger.sendTo(sender, ASK, { id, method, pid: method === 'sendTo' ? pid : null, text });
    return { id, from: sender };
  }

  function crash({ pid }) {
    if (!view.knowsWorker(pid)) throw new Refusal(400, 'pid: no worker of this cluster has that pid.');
    messenger.sendTo(pid, CRASH, { by: me.pid });
    return { pid };
  }

  function killAgent() {
    const { agent } = view.roster;
    if (!agent) throw new Refusal(409, 'There is no agent right now; the next one is on its way.');
    messenger.sendToAgent(LEAVE);
    return { pid: agent.pid };
  }

  return { '/send': sendNote, '/crash': crash, '/kill-agent': killAgent };
};
