'use strict';

// sticky: by what a client is known again, and how long it may take to say it.

const { ClutchError } = require('../errors');
const { bad, isPlainObject, show } = require('./checks');
const { duration } = require('./duration');

const ALLOWED = "true, false or { by: 'address' | 'proxy-protocol' | { header: name } | { cookie: name }, wait? }";
const PLAIN = ['address', 'proxy-protocol'];
const NAMED = ['header', 'cookie'];
const NAMES = ['by', 'wait'];
const WAIT = '5s';
const MIN_WAIT_MS = 1;
// What Node itself gives the head of a request.
const MAX_WAIT_MS = 60000;
// RFC 9110, 5.6.2: names of headers are tokens, and RFC 6265 says the same of cookies.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function parseBy(by) {
  if (PLAIN.includes(by)) return { by };
  if (!isPlainObject(by) || Object.keys(by).length !== 1 || !NAMED.includes(Object.keys(by)[0])) {
    throw bad('options.sticky.by', by, "'address', 'proxy-protocol', { header: name } or { cookie: name }");
  }
  const [[kind, name]] = Object.entries(by);
  if (typeof name !== 'string' || !TOKEN.test(name)) throw bad(`options.sticky.by.${kind}`, name, `the name of a ${kind}`);
  return { by: kind, name };
}

/** By what clients are known again, in the words of the binding; undefined where the cluster is not sticky. */
function parse(sticky) {
  if (!sticky) return undefined;
  if (sticky === true) return { by: 'address', waitMs: duration('options.sticky.wait', WAIT) };
  if (!isPlainObject(sticky)) throw bad('options.sticky', sticky, ALLOWED);
  const unknown = Object.keys(sticky).find(name => !NAMES.includes(name));
  if (unknown !== undefined || sticky.by === undefined) throw bad('options.sticky', sticky, ALLOWED);
  const limits = { min: MIN_WAIT_MS, max: MAX_WAIT_MS };
  return { ...parseBy(sticky.by), waitMs: duration('options.sticky.wait', sticky.wait ?? WAIT, limits) };
}

/** Whether the master has to look into requests, which it cannot where they are encrypted. */
function readsRequests(sticky) {
  return NAMED.includes(parse(sticky)?.by);
}

/** Throws ERR_CLUTCH_OPTION for a value that is not allowed. */
function checkSticky({ sticky, https }) {
  if (readsRequests(sticky) && https) {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      `options.sticky (got ${show(sticky)}) cannot be used together with options.https: what TLS encrypts, the master cannot read;`
      + " give { by: 'address' }, { by: 'proxy-protocol' }, or have a proxy end TLS");
  }
}

/** What the binding takes. */
function stickyOptions(sticky) {
  const parsed = parse(sticky);
  return parsed && { stickyBy: parsed.by, stickyName: parsed.name, stickyWaitMs: parsed.waitMs };
}

module.exports = { checkSticky, readsRequests, stickyOptions };
