'use strict';
// Root hooks of mocha: every test ends the clusters that it began, and leaves no process of theirs.

const processes = require('./processes');
const { running, MARKER, RUN } = require('./process_tree');

let before = new Set();

function ofThisTest() {
  return [...running].filter(cluster => !before.has(cluster));
}

async function endClusters() {
  for (const cluster of ofThisTest()) await cluster.stop();
}

/**
 * The check belongs to the test, so that its failure carries the test's name; a root hook that throws would end the whole run.
 */
function endWithTheTest(test) {
  const body = test.fn;
  if (!body) return;
  if (test.async) {
    test.fn = function (done) {
      body.call(this, error => (error ? done(error) : endClusters().then(() => done(), done)));
    };
    return;
  }
  test.fn = async function () {
    await body.call(this);
    await endClusters();
  };
}

exports.mochaHooks = {
  beforeEach() {
    before = new Set(running);
    endWithTheTest(this.currentTest);
  },

  afterEach() {
    if (this.currentTest.state === 'passed') return;
    // What stands here belongs to a test that failed or ran into its watchdog.
    for (const cluster of ofThisTest()) {
      process.stderr.write(`--- of the failed test '${this.currentTest.title}'\n${cluster.describe()}\n`);
      cluster.destroy();
    }
  },

  async afterAll() {
    const left = await processes.waitUntilGone(() => processes.withVariable(MARKER, RUN));
    for (const cluster of [...running]) cluster.destroy();
    if (!left.length) return;
    const list = left.map(({ pid }) => `${pid} ${processes.commandLine(pid).join(' ').slice(0, 300)}`);
    throw new Error(`left over at the end of the tests:\n${list.join('\n')}`);
  },
};
