'use strict';
// What each runner counted, kept in .tmp/results until the closing line adds it up.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./tools');

const FOLDER = path.join(ROOT, '.tmp', 'results');

/** A lane that ran nothing has not passed: an empty lane counts as one failure. */
function verdict(lane, { passed = 0, failed = 0, skipped = 0, problem }) {
  const reason = problem ?? (passed + failed === 0 ? 'ran no test' : undefined);
  // A runner can break without a failing test (it did not compile, it hung): that is a failure too.
  return { lane, passed, failed: reason ? Math.max(failed, 1) : failed, skipped, problem: reason };
}

function save(result) {
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(path.join(FOLDER, `${result.lane}.json`), JSON.stringify(result));
}

function forget() {
  fs.rmSync(FOLDER, { recursive: true, force: true });
}

function load() {
  if (!fs.existsSync(FOLDER)) return [];
  return fs.readdirSync(FOLDER).sort().map(name => JSON.parse(fs.readFileSync(path.join(FOLDER, name), 'utf8')));
}

/** Prints one line per lane and the closing line; returns the exit code. */
function report(results) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  process.stdout.write('\n');
  for (const { lane, passed, failed, skipped, problem } of results) {
    process.stdout.write(`${lane.padEnd(16)} ${passed} passed, ${failed} failed${problem ? ` (${problem})` : ''}\n`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  if (results.length === 0) total.failed = 1;
  const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
  process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
  return total.failed === 0 ? 0 : 1;
}

module.exports = { verdict, save, load, forget, report };
