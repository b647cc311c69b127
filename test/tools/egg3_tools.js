'use strict';
// The tools of egg 3, installed beside it once for all tests of this folder.

const path = require('node:path');
const { installedApp } = require('../helpers/installed_app');
const { runTool } = require('../helpers/tool_process');

const EXTRAS = {
  'egg-bin': '^6', 'egg-mock': '^5', 'egg-scripts': '^3', 'egg-socket.io': '^4',
  // ts-node, by which egg-bin runs TypeScript, knows none of the later ones.
  'typescript': '^5',
  // Later ones copy the list of middleware, and egg-mock has it composed before egg adds the router: every page is a 404.
  'koa-compose': '~4.1.0',
};
// npm may have to fetch all of it first.
const INSTALL_LIMIT_MS = 300000;

/** The app `fixture` on egg 3 with all of these beside it. TOOLS_ON_STOCK=1 leaves egg its own cluster layer, for comparison. */
function egg3App(fixture = 'egg3') {
  return installedApp('egg3', { fixture, extras: EXTRAS, stock: process.env.TOOLS_ON_STOCK === '1' });
}

/** Runs the command `name` that npm installed into the app in `baseDir`, from its folder. */
function runCommand(baseDir, name, args, settings) {
  return runTool(path.join(baseDir, 'node_modules', '.bin', name), args, { cwd: baseDir, ...settings });
}

module.exports = { egg3App, runCommand, INSTALL_LIMIT_MS };
