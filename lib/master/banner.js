'use strict';

// The lines a master writes before it forks anything. Tools and people's scripts match on these texts.

const os = require('os');
const { format } = require('util');

/**
 * @param {object} facts
 * @returns {Array<['debug' | 'info', string]>}
 */
function bannerLines({ options, flavour, framework, production, quiet, workersReason, heapReason, nodeEnv }) {
  const chatty = quiet ? 'debug' : 'info';
  const eggs = flavour === 3 ? ' 🥚🥚🥚🥚' : '';
  const lines = [
    [chatty, `[master] =================== ${framework.name} start${eggs} =====================`],
    ['info', `[master] node version ${process.version}`],
    ['info', `[master] ${framework.name} version ${framework.version}`],
  ];
  if (production) lines.push(['info', `[master] start with options:${os.EOL}${JSON.stringify(options, null, 2)}`]);
  else lines.push([chatty, `[master] start with options: ${JSON.stringify(options)}`]);
  lines.push([chatty, format('[master] start with env: isProduction: %s, EGG_SERVER_ENV: %s, NODE_ENV: %s', production, options.env, nodeEnv)]);
  if (workersReason) lines.push([chatty, `[master] workers: ${options.workers} by default (${workersReason})`]);
  if (heapReason) lines.push([chatty, `[master] heaps: ${heapReason}`]);
  return lines;
}

module.exports = { bannerLines };
