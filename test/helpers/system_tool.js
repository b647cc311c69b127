'use strict';
// Tools of the system that only some tests need. CI must have them; elsewhere a missing one is said, and the test has nothing to show.

const { spawnSync } = require('node:child_process');

/**
 * Runs a tool. Resolves to { status, output }, or to null where it is not there and nobody insists on it (EGG_CLUTCH_CI).
 */
function systemTool(command, args, settings = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...settings });
  if (!error) return { status, output: stdout + stderr };
  if (error.code !== 'ENOENT' || process.env.EGG_CLUTCH_CI) throw error;
  process.stderr.write(`    ${command} is not installed: not tried here\n`);
  return null;
}

module.exports = { systemTool };
