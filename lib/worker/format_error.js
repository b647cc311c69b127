'use strict';

// How an Error looks in egg's console log: `nodejs.<name>: <message>`, stack, own properties, pid and hostname; errors of
// egg-errors' framework kind get their own layout with the FAQ link. Pure text, called by console_logger.js; writes nothing.

const os = require('os');
const util = require('util');

const HOSTNAME = os.hostname();
const MAX_CAUSES = 10;
const MAX_STRING = 10000;
const MAX_BUFFER = 50;
const FAQ = 'https://eggjs.org/zh-cn/faq';
// The mark egg-errors puts on its framework errors; a registered symbol, so it is recognised without that package.
const FRAMEWORK_ERROR = Symbol.for('FrameworkBaseError');

/** @returns {boolean} also true for errors of another realm, which `instanceof` misses (vm contexts, test runners). */
function isError(value) {
  return value instanceof Error || util.types.isNativeError(value);
}

/** @returns {string} the whole text of an error, ending in a newline (the line's own newline comes on top) */
function formatError(error) {
  if (error[FRAMEWORK_ERROR] === true) return formatFrameworkError(error);
  return `${describe(error, 0)}\npid: ${process.pid}\nhostname: ${HOSTNAME}\n`;
}

function formatFrameworkError(error) {
  // The variable's name is misspelt in egg-errors itself.
  const faq = process.env.EGG_FRAMEWORK_ERR_FAQ_PERFIX || FAQ;
  let message = String(error.message);
  if (!message.includes(faq)) message += ` [ ${faq}/${error.code} ]`;
  return util.format('framework.%s: %s\n%s\ncode: %s\nserialNumber: %s\nerrorContext: %j\npid: %s\nhostname: %s\n',
    error.name, message, withoutFirstLine(error.stack), error.code, error.serialNumber, error.errorContext,
    process.pid, HOSTNAME);
}

function describe(error, depth) {
  if (depth > MAX_CAUSES) return 'too long cause chain';
  let name = error.name || 'no_name';
  if (error.name === 'Error' && typeof error.code === 'string') name = error.code + name;
  let message = error.message || 'no_message';
  if (error.host) message += ` (${error.host})`;

  const properties = Object.keys(error).map(key => `${key}: ${formatValue(error[key])}`).join('\n');
  let text = `nodejs.${name}: ${message}\n${withoutFirstLine(error.stack)}\n${properties}`;
  if (error.name === 'AggregateError' && Array.isArray(error.errors)) {
    error.errors.forEach((inner, index) => {
      text += `\n[error-${index}]:\n\n${describeCause(inner, depth)}`;
    });
  }
  if (error.cause) text += `\ncause:\n\n${describeCause(error.cause, depth)}`;
  return text;
}

function describeCause(cause, depth) {
  return Object(cause) === cause ? describe(cause, depth + 1) : String(cause);
}

function withoutFirstLine(stack) {
  const text = String(stack || 'no_stack');
  return text.substring(text.indexOf('\n') + 1);
}

function formatValue(value) {
  try {
    return JSON.stringify(value, withoutCycles());
  } catch {
    // A BigInt, a throwing getter or toJSON: a log line must come out all the same.
    return safeString(value);
  }
}

function safeString(value) {
  try {
    return String(value);
  } catch {
    return '[unprintable]';
  }
}

// JSON.stringify calls a replacer with the holder as `this`, so the path from the root to here is always known.
function withoutCycles() {
  const path = [];
  return function replace(key, value) {
    if (typeof value === 'string') return shorten(value);
    if (value instanceof RegExp) return util.inspect(value);
    if (Object(value) !== value) return value;
    if (value.type === 'Buffer' && Array.isArray(value.data)) return formatBytes(value.data);
    while (path.length > 0 && path[path.length - 1] !== this) path.pop();
    if (path.includes(value)) return '[Circular]';
    path.push(value);
    return value;
  };
}

function shorten(text) {
  return text.length > MAX_STRING ? `${text.slice(0, MAX_STRING)}...(${text.length})` : text;
}

function formatBytes(bytes) {
  const head = bytes.slice(0, MAX_BUFFER).map(byte => byte.toString(16).padStart(2, '0')).join(' ');
  return `<Buffer ${head}${bytes.length > MAX_BUFFER ? ` ...(${bytes.length}) ` : ''}>`;
}

module.exports = { formatError, isError };
