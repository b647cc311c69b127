'use strict';

// What each line of the contract is asked of: the two cluster packages that we stand in for, and ours in the place of each.

const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { installedApp } = require('../helpers/installed_app');
const { RUNS_EGG_4 } = require('../cluster/shared/subject');

const FIXTURES = path.join(__dirname, '..', 'fixtures');
const SMALL = path.join(FIXTURES, 'frameworks', 'small');
const PARSES_OPTIONS = path.join(FIXTURES, 'masters', 'parses_options.js');

class ContractSubject {
  #egg;

  /** @param {{ egg: 3 | 4, stock: boolean }} kind */
  constructor({ egg, stock }) {
    this.egg = egg;
    this.stock = stock;
    /** The major version of the layer: egg-cluster 2 or @eggjs/cluster 3. */
    this.version = egg - 1;
    this.name = `egg ${egg}, ${stock ? 'stock' : 'ours'}`;
  }

  /** Resolves to { baseDir, entry, packageDir } of the egg app; npm may have to fetch it first. */
  lay() {
    this.#egg ??= installedApp(`egg${this.egg}`, { stock: this.stock });
    return this.#egg;
  }

  /**
   * Starts the layer with the small framework: two workers in env 'prod', unless `options` say otherwise. `config` is the app's
   * config, `fault` a fault of test/fixtures/probe, the rest are settings of the driver.
   */
  async start(options = {}, settings = {}) {
    const { baseDir, packageDir } = await this.lay();
    return this.#start({ baseDir, framework: SMALL, ...options }, { entry: packageDir, ...settings });
  }

  /** As start(), with a real egg; for what depends on egg's own code. */
  async startEgg(options = {}, settings = {}) {
    const { baseDir, entry } = await this.lay();
    return this.#start({ baseDir, ...options }, { entry, ...settings });
  }

  /**
   * Resolves to what the layer makes of options, by the name of the question: { options } or { error }. See the fixture
   * parses_options.js for what a question may say. Nothing is started.
   */
  async parse(questions, { cwd }) {
    const { packageDir } = await this.lay();
    const parser = startCluster({ questions }, { entry: packageDir, starter: PARSES_OPTIONS, cwd });
    const { data } = await parser.message('parsed');
    return data;
  }

  async #start(options, { config, fault, env, ...settings }) {
    const variables = { ...env };
    if (config) variables.PROBE_CONFIG = JSON.stringify(config);
    if (fault) variables.PROBE_FAULT = JSON.stringify(fault);
    const port = 'port' in options ? options.port : await freePort();
    return startCluster({ workers: 2, env: 'prod', ...options, port }, { env: variables, ...settings });
  }
}

const SUBJECTS = [3, 4].filter(egg => egg === 3 || RUNS_EGG_4)
  .flatMap(egg => [true, false].map(stock => new ContractSubject({ egg, stock })));

module.exports = { SUBJECTS, SMALL };
