'use strict';

// The words that a worker and the master exchange besides Node's own: `drain` and its answer `drained`, and `fence`. Node keeps messages
// whose cmd begins with NODE_ from the app; they come as 'internalMessage'.

const CMD = 'NODE_CLUTCH';

/** @returns {object} the message that says it */
const wordOf = (act, rest) => ({ cmd: CMD, act, ...rest });

/** Whether a message says it. */
const says = (message, act) => message?.cmd === CMD && message.act === act;

module.exports = { says, wordOf };
