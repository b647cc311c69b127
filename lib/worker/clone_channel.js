'use strict';

// Node's channel with structured clone: what JSON would change goes as text that a clone is made of, and everybody who listens for
// messages gets the clone. It stands in front of process.send() and process.emit('message'), below the switchboard, so that a message is
// the same whichever way it has come.

const { packMessage, unpackMessage } = require('../messenger/packed');

/** @param {NodeJS.Process} proc */
function cloneOverChannel(proc) {
  const send = proc.send.bind(proc);
  const emit = proc.emit.bind(proc);
  proc.send = (message, ...rest) => send(packMessage(message), ...rest);
  proc.emit = (event, ...rest) => {
    if (event === 'message') rest[0] = unpackMessage(rest[0]);
    return emit(event, ...rest);
  };
}

module.exports = { cloneOverChannel };
