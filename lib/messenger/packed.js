'use strict';

// Data that JSON would change, in a message that must be JSON: the data is an object with one member then, whose text a clone is made of.
// Everything else goes as it is, so that it costs nothing more and the layer's own messages stay what they are.

const { CloneEncoder, decodeClone } = require('../codec/clone');
const { isJsonSafe } = require('../codec/json_safe');
const { Region } = require('../codec/layout');

const KEY = 'egg-clutch:clone';
const WORD_BYTES = 8;

function pack(data) {
  const encoder = new CloneEncoder();
  encoder.encode(data);
  const region = new Region(new ArrayBuffer(Math.ceil(encoder.size / WORD_BYTES) * WORD_BYTES));
  encoder.writeTo(region);
  return { [KEY]: region.bytes.toString('base64') };
}

function unpack(text) {
  const bytes = Buffer.from(text, 'base64');
  const region = new Region(new ArrayBuffer(Math.ceil(bytes.length / WORD_BYTES) * WORD_BYTES));
  bytes.copy(region.bytes);
  return decodeClone(region, 0, bytes.length);
}

function isPacked(data) {
  return data !== null && typeof data === 'object' && typeof data[KEY] === 'string' && Object.keys(data).length === 1;
}

/**
 * @param {unknown} message anything that may be given to process.send()
 * @returns {unknown} the same, or one whose data is packed
 * @throws {DOMException} where its data has no clone
 */
function packMessage(message) {
  if (message === null || typeof message !== 'object' || message.data === undefined) return message;
  const { action, cmd, to, data } = message;
  // The parent is no process of ours, and reads JSON.
  if (typeof action !== 'string' || cmd !== undefined || to === 'parent') return message;
  return isJsonSafe(data) && !isPacked(data) ? message : { ...message, data: pack(data) };
}

/** @returns {unknown} the message as it was before packMessage() */
function unpackMessage(message) {
  if (message === null || typeof message !== 'object' || !isPacked(message.data)) return message;
  try {
    return { ...message, data: unpack(message.data[KEY]) };
  } catch {
    // Somebody's own data that only looks like it.
    return message;
  }
}

module.exports = { packMessage, unpackMessage };
