'use strict';

// The three things that all shared tests are run on.

const path = require('node:path');
const { startCluster } = require('../../helpers/cluster');
const { freePort } = require('../../helpers/free_port');
const { installedApp } = require('../../helpers/installed_app');

const ROOT = path.join(__dirname, '..', '..', '..');

const KINDS = {
  'egg 3': { layerVersion: 2, framework: 'egg', lay: () => installedApp('egg3') },
  'egg 4': { layerVersion: 3, framework: 'egg', lay: () => installedApp('egg4') },
  'embedded': {
    layerVersion: 2,
    framework: 'egg-clutch',
    lay: async () => ({ baseDir: path.join(ROOT, 'test', 'fixtures', 'apps', 'plain'), entry: ROOT, packageDir: ROOT }),
  },
};

// egg 4's HTTP client brings undici 7, which wants the global File of Node 20; on Node 18 no egg 4 app starts on any cluster layer.
const RUNS_EGG_4 = Number.parseInt(process.versions.node, 10) >= 20;

/** Those that can run on this Node at all. */
const NAMES = Object.keys(KINDS).filter(name => name !== 'egg 4' || RUNS_EGG_4);

class Subject {
  #app;

  /** @param {'egg 3' | 'egg 4' | 'embedded'} name */
  constructor(name) {
    const { layerVersion, framework, lay } = KINDS[name];
    this.name = name;
    /** Which of egg's cluster packages is stood in for: 2 or 3. */
    this.layerVersion = layerVersion;
    this.frameworkName = framework;
    this.isEgg = name !== 'embedded';
    this.lay = () => (this.#app ??= lay());
  }

  /**
   * Starts a cluster of two workers in env 'prod', unless `options` say otherwise. `config` goes into the app's config,
   * `fault` is a fault of test/fixtures/probe, the rest are settings of the driver.
   */
  async start(options = {}, { config, fault, env, ...settings } = {}) {
    const { baseDir, entry } = await this.lay();
    const variables = { ...env };
    if (config) variables.PROBE_CONFIG = JSON.stringify(config);
    if (fault) variables.PROBE_FAULT = JSON.stringify(fault);
    const wanted = { baseDir, workers: 2, env: 'prod', port: await freePort(), ...options };
    return startCluster(wanted, { entry, env: variables, ...settings });
  }
}

module.exports = { Subject, NAMES, RUNS_EGG_4 };
