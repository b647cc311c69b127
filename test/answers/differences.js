'use strict';

// The whole list of what may differ between egg's own cluster layer and ours. Everything else that the suite looks at is equal.

const path = require('node:path');

/** Each layer keeps its worker scripts in a place of its own, which is seen in the command lines. */
function workerScripts(commandLine) {
  return [path.dirname(commandLine.at(-2)), '<worker scripts>'];
}

/** By `overrides` in the app's package.json our layer got into the place of stock's; egg shows that file's content in its dumps. */
function withoutOverrides(value) {
  return JSON.parse(JSON.stringify(value, (name, item) => (name === 'overrides' ? undefined : item)));
}

/** Where nobody asks for `reusePort`, the app sees `false`, and nothing at all on stock. */
function withoutUnusedReusePort({ reusePort, ...options }) {
  return { ...options, ...reusePort && { reusePort } };
}

/** A worker of ours knows its connections, because it answers what is under way on them before it leaves. */
function withoutConnectionListeners({ listeners, ...server }) {
  return { ...server, listeners: listeners.filter(line => !line.startsWith('connection:')) };
}

/** Our package brings dependencies of its own, beside which npm lays some of egg's a folder deeper than without them. */
function shallow(text) {
  return text.replace(/node_modules\/(@[^/\s]+\/)?[^/\s]+\/(?=node_modules\/)/g, '');
}

/** Our master says who sent the signal that stops it. */
function withoutSender(text) {
  return text.replace(/^.*\[master\] SIG[A-Z]+ was sent by .*\n?/gm, '');
}

module.exports = { workerScripts, withoutOverrides, withoutUnusedReusePort, withoutConnectionListeners, withoutSender, shallow };
