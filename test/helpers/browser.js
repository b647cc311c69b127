'use strict';
// A headless Chromium for the page test, driven by playwright-core.

const { chromium } = require('playwright-core');
const { chromiumToLaunch } = require('./chromium_path');

const ARGS = [
  '--no-sandbox', // tests run as root in containers
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  // Chromium asks its maker's hosts for news at every start; a test machine may have no way out.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A playwright Browser with a profile of its own; the caller closes it. */
async function launch(options = {}) {
  return chromium.launch({ ...chromiumToLaunch(), args: ARGS, headless: true, ...options });
}

module.exports = { launch };
