'use strict';
// The tools of egg 4, installed beside it once for all tests of this folder.

const path = require('node:path');
const { createRequire } = require('node:module');
const { RUNS_EGG_4 } = require('../cluster/shared/subject');
const { installedApp } = require('../helpers/installed_app');

const EXTRAS = { '@eggjs/bin': '^7', '@eggjs/mock': '^6', '@eggjs/scripts': '^4', 'typescript': '^5', 'sdk-base': '^5' };
// npm may have to fetch all of it first.
const INSTALL_LIMIT_MS = 300000;

/** describe(), but on a Node where no egg 4 app starts on any cluster layer: test/cluster/egg4.test.js has the proof. */
function describeOnEgg4(title, body) {
  if (RUNS_EGG_4) describe(title, body);
}

/** The app `fixture` on egg 4 with all of these beside it. */
function egg4App(fixture = 'egg4_tools') {
  return installedApp('egg4', { fixture, extras: EXTRAS, stock: process.env.TOOLS_ON_STOCK === '1' });
}

/** The path of a tool's script in an installed app. */
function scriptOf(baseDir, packageName, file) {
  const load = createRequire(path.join(baseDir, 'package.json'));
  return path.join(path.dirname(load.resolve(`${packageName}/package.json`)), file);
}

module.exports = { describeOnEgg4, egg4App, scriptOf, INSTALL_LIMIT_MS };
