'use strict';

// One cluster in production, and what it lives through, until SIGQUIT.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { ask } = require('../../helpers/probe');
const { runFolder } = require('../../helpers/run_folder');

const PARTS = ['serving', 'worker_face', 'messages', 'message_data', 'parent', 'deaths', 'uncaught'];

/** What the parts share: the running cluster and who is in it now. */
class Service {
  #faultFile;

  constructor(subject) {
    this.subject = subject;
  }

  async start() {
    this.#faultFile = path.join(runFolder(), `fault-${this.subject.name}`);
    this.cluster = await this.subject.start({}, {
      fault: { role: 'app', how: 'exit', file: this.#faultFile },
      env: { PROBE_INHERITED: 'from the master' },
      execArgv: ['--no-deprecation', '--max-http-header-size=20000'],
    });
    await this.cluster.ready();
  }

  ask(pid, command, argument) {
    return ask(this.cluster, pid, command, argument);
  }

  get agent() {
    return this.cluster.agentPid();
  }

  get apps() {
    return this.cluster.appPids();
  }

  get everybody() {
    return [this.agent, ...this.apps];
  }

  /** From now on apps end with code 7 while they load, or do so no more. */
  letAppsDieAtLoad(dying) {
    if (dying) fs.writeFileSync(this.#faultFile, '');
    else fs.rmSync(this.#faultFile);
  }

  async forget() {
    for (const pid of this.everybody) await this.ask(pid, 'forget');
  }
}

module.exports = subject => describe('in service', () => {
  const service = new Service(subject);

  before(() => service.start());
  after(() => service.cluster.stop());

  for (const part of PARTS) require(`./${part}`)(service);

  // mocha runs a suite's own tests before those of the suites in it.
  describe('at the end', () => {
    it('exits with 0 at SIGQUIT, too, and leaves nothing', async () => {
      assert.deepEqual(await service.cluster.stop('SIGQUIT'), { code: 0, signal: null });
      assert.match(service.cluster.stdout, /\[master\] master is killed by signal SIGQUIT, closing/);
    });
  });
});
