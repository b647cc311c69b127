'use strict';

// The process that forked the master, if there is one. It may go away at any time, and most masters outlive it: nothing here
// throws or writes to stderr because of that.

/** What a parent sent as the text the router takes, or null where it is nothing that can be routed. */
function toText(message) {
  if (typeof message === 'string') return JSON.stringify({ action: message, data: message });
  if (message === null || typeof message !== 'object' || Array.isArray(message)) return null;
  try {
    return JSON.stringify(message) ?? null;
  } catch {
    // A parent with serialization 'advanced' can send what JSON has no form for.
    return null;
  }
}

/** A handle ends here: a message goes on without it. Kept open, a server's would take connections that nobody answers. */
function letGo(handle) {
  if (typeof handle?.destroy === 'function') handle.destroy();
  else handle?.close();
}

/**
 * Hands on what the parent sends.
 * @param {NodeJS.Process} proc
 * @param {(text: string) => void} deliver
 * @param {(what: string) => void} warn
 * @returns {(message: unknown, handle: unknown) => void} the listener, to take it off again
 */
function listenToParent(proc, deliver, warn) {
  const listener = (message, handle) => {
    letGo(handle);
    const text = toText(message);
    if (text === null) warn(`[master] dropped a message of the parent process: it is no object with a JSON form (${typeof message})`);
    else deliver(text);
  };
  proc.on('message', listener);
  return listener;
}

/**
 * @param {NodeJS.Process} proc
 * @param {object} message
 * @param {(what: string) => void} warn
 */
function sendToParent(proc, message, warn) {
  if (!proc.connected || typeof proc.send !== 'function') return;
  try {
    // Without a callback a failed write is an 'error' event on process, and that ends the master.
    proc.send(message, undefined, undefined, () => {});
  } catch (error) {
    // The channel was closed between the check and the write; or a thread sent what JSON has no form for.
    if (error.code !== 'ERR_IPC_CHANNEL_CLOSED') warn(`[master] dropped a message to the parent process: ${error.message}`);
  }
}

module.exports = { listenToParent, sendToParent };
