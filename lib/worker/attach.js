'use strict';

// Ties this process to the native side of its master: from here on a guard thread ends it if the master dies while JavaScript
// is blocked. The first thing a worker script does. Without the addon (another platform, a plain test) a worker works as well.

const { isMainThread } = require('worker_threads');
const { cloneOverChannel } = require('./clone_channel');
const { attachPulse } = require('./pulse');

// Registered: the messenger that asks for it may be another copy of the package.
const SWITCHBOARD = Symbol.for('egg-clutch.switchboard');

/**
 * @param {number} closeTimeout how long this worker may take to leave, in milliseconds: so much it gets when its master is gone
 * @returns {Error | null} what went wrong, for the caller to log once it has a logger
 */
function attach(closeTimeout) {
  // A thread of the master ends with it; to guard its process would be to guard the master against its own parent.
  if (!isMainThread) return null;
  let binding;
  try {
    binding = require('../../binding');
  } catch {
    return null;
  }
  // Before the guard, which hears when the stack is asked for.
  const pulseError = attachPulse(binding);
  try {
    binding.attach(closeTimeout);
    return pulseError;
  } catch (error) {
    return error;
  }
}

/**
 * Lets messages to other workers go by shared memory, where the master has a place for this process and the machine has such memory.
 * @param {'agent' | 'app'} role
 * @param {{ serialization: 'json' | 'advanced', arena: number, maxQueue: number }} settings sizes in bytes
 * @param {{ warn: Function }} logger
 */
function joinSwitchboard(role, { serialization, arena, maxQueue }, logger) {
  const clones = serialization === 'advanced';
  if (clones && isMainThread && process.send) cloneOverChannel(process);
  const invitation = process.env.EGG_CLUTCH_SWITCHBOARD;
  // Not for the children of this process.
  delete process.env.EGG_CLUTCH_SWITCHBOARD;
  if (!invitation || !isMainThread || !process.send) return;
  try {
    const { Endpoint, leaveWord } = require('../../binding');
    const { Switchboard } = require('./switchboard');
    const join = ({ headBytes, rowBytes, intake }, onMessages, onNews) => (
      new Endpoint(invitation, { arenaBytes: arena, maxQueueBytes: maxQueue }, headBytes, rowBytes, intake.bytes, onMessages, onNews));
    globalThis[SWITCHBOARD] = new Switchboard({ join, role, proc: process, leaveWord, logger, clones });
  } catch (error) {
    logger.warn('[messenger] messages go by the master: %s', error.message);
  }
}

/** Resolves when no message waits in this process for receivers without room, or these do not read. */
async function whenSent() {
  await globalThis[SWITCHBOARD]?.surplus.whenGone();
}

/** Makes the framework's messenger known to the switchboard, so that it need not read what that would not hand on. */
function introduce(messenger) {
  globalThis[SWITCHBOARD]?.audience.meet(messenger);
}

/**
 * Lets connections come by a lane of their own, where the master offers one: quicker than by Node's channel.
 * @param {{ warn: Function }} logger
 */
function joinLane(logger) {
  const invitation = process.env.EGG_CLUTCH_LANE;
  delete process.env.EGG_CLUTCH_LANE;
  if (!invitation || !isMainThread || !process.send) return;
  try {
    const binding = require('../../binding');
    const { Lane } = require('./lane');
    new Lane({ join: onWake => new binding.Lane(invitation, onWake), proc: process });
  } catch (error) {
    logger.warn('[app_worker] connections come by the channel: %s', error.message);
  }
}

module.exports = { attach, introduce, joinLane, joinSwitchboard, whenSent };
