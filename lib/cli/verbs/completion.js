'use strict';

const { SCRIPTS } = require('../completion_scripts');

/** `egg-clutch completion bash|zsh|fish` */
async function completion({ operands: [shell] }, { stdout }) {
  stdout.write(SCRIPTS[shell]());
}

module.exports = { completion };
