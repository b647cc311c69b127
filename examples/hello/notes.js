'use strict';

// What agent and workers have in common: both send notes when asked to, and both tell the workers which notes
// they heard. Called once by app.js and once by agent.js.

const { NOTE, SENT, RECEIPT, ASK } = require('./messages');

/**
 * @param {import('node:events').EventEmitter} messenger the messenger of this process
 * @param {{role: 'agent'|'app', pid: number, id?: number}} me who this process is
 */
module.exports = function exchangeNotes(messenger, me) {
  // `once` hears the first note of this process's life, `on` hears every note. The `once` listener comes first,
  // so its answer is known when the other one writes the receipt.
  let first = false;
  messenger.once(NOTE, () => { first = true; });
  messenger.on(NOTE, note => {
    messenger.sendToApp(RECEIPT, { note, by: me, once: first });
    first = false;
  });

  messenger.on(ASK, ({ id, method, pid, text }) => {
    const note = { id, method, pid, text, from: me, at: Date.now() };
    messenger.sendToApp(SENT, note);
    if (method === 'sendTo') messenger.sendTo(pid, NOTE, note);
    else messenger[method](NOTE, note);
  });
};
