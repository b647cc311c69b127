'use strict';

// An error on its way to another process: what of it travels, and what arrives.

const { inspect } = require('util');
const { ClutchError, CODES } = require('../errors');

const isText = value => typeof value === 'string';

/** @returns {object} what has a form in JSON as well */
function toFar(thrown) {
  if (!(thrown instanceof Error) && Object.prototype.toString.call(thrown) !== '[object Error]') {
    return { name: 'Error', message: isText(thrown) ? thrown : inspect(thrown) };
  }
  const { name, message, code, stack } = thrown;
  return {
    name: String(name), message: String(message),
    code: isText(code) || typeof code === 'number' ? code : undefined,
    stack: isText(stack) ? stack : undefined,
  };
}

/**
 * @param {object} far what toFar() gave in another process; any member may be missing or odd
 * @returns {Error} with the far name, message and code; `cause` is the far stack as text
 */
function fromFar({ name, message, code, stack }) {
  const cause = isText(stack) ? { cause: stack } : undefined;
  const text = isText(message) ? message : 'an error without a message';
  if (name === 'ClutchError' && Object.hasOwn(CODES, code ?? '')) return new ClutchError(code, text, cause);
  const error = new Error(text, cause);
  if (isText(name) && name !== 'Error') Object.defineProperty(error, 'name', { value: name, writable: true, configurable: true });
  if (code !== undefined && code !== null) error.code = code;
  return error;
}

module.exports = { toFar, fromFar };
