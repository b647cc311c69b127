'use strict';

// How the contract is written down: a scenario starts one cluster per subject, all of them side by side, and its lines are asked of
// each. The title of a test is what scripts/contract.js makes its table of: "<id> <text> · <subject>".

const { running } = require('../helpers/process_tree');
const { LINES } = require('./lines');
const { SUBJECTS } = require('./subjects');

// npm may have to fetch an egg first; after that, four clusters start on two cores.
const START_LIMIT_MS = 300000;

/**
 * @typedef {object} LineSettings
 * @property {(run: object, subject: object) => unknown} [stock] what stock does where the line says that we differ on purpose
 * @property {(subject: object) => boolean} [of] the subjects that the line is asked of here; all of the scenario, if not given
 */

/** Does `act` for all runs side by side; what went wrong is thrown by each line that needs the run. */
async function sideBySide(runs, act) {
  await Promise.all([...runs.values()].map(async run => {
    if (run.error) return;
    try {
      await act(run);
    } catch (error) {
      run.error = error;
    }
  }));
}

function lineOf(runs) {
  return (id, body, { stock, of = () => true } = {}) => {
    const { text, versions, onPurpose } = LINES[id] ?? fail(`no line ${id}`);
    for (const [subject, run] of runs) {
      if (versions && !versions.includes(subject.version) || !of(subject)) continue;
      const ask = subject.stock && onPurpose ? stock : body;
      // Where stock's way cannot be shown (it hangs for ever), nobody is asked.
      if (!ask) continue;
      it(`${id} ${text} · ${subject.name}`, () => {
        if (run.error) throw run.error;
        return ask(run.value, subject);
      });
    }
  };
}

function stepOf(runs, line) {
  /** Something done to all clusters side by side, and the lines that are asked afterwards. Only lines and steps below count on it. */
  return function step(title, act, define) {
    describe(title, () => {
      before(() => sideBySide(runs, run => act(run.value, run.subject)));
      define(line, stepOf(runs, line));
    });
  };
}

/**
 * @param {string} title
 * @param {object} scenario
 * @param {(subject: object) => Promise<object>} scenario.start resolves to what the lines get: a cluster, or more. Whatever clusters
 *   it started are stopped at the end.
 * @param {(subject: object) => boolean} [scenario.of] the subjects it is played with
 * @param {(line: Function, step: Function) => void} define
 */
function scenario(title, { start, of = () => true }, define) {
  describe(title, () => {
    const runs = new Map(SUBJECTS.filter(of).map(subject => [subject, { subject }]));
    let others;

    before(async function () {
      this.timeout(START_LIMIT_MS);
      others = new Set(running);
      await sideBySide(runs, async run => { run.value = await start(run.subject); });
    });
    after(() => Promise.all([...running].filter(cluster => !others.has(cluster)).map(stop)));

    const line = lineOf(runs);
    define(line, stepOf(runs, line));
  });
}

async function stop(cluster) {
  try {
    await cluster.stop();
  } finally {
    cluster.destroy();
  }
}

function fail(text) {
  throw new Error(text);
}

module.exports = { scenario };
