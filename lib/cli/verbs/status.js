'use strict';

const { ControlClient } = require('../control_client');
const { locate } = require('../find_cluster');
const { painter } = require('../paint');
const { statusText } = require('../status_text');

/** `egg-clutch status` */
async function status({ flags }, { stdout, env, cwd }) {
  const answer = await new ControlClient(locate(flags, cwd)).status();
  stdout.write(flags.json ? `${JSON.stringify(answer)}\n` : statusText(answer, painter(stdout, env)));
}

module.exports = { status };
