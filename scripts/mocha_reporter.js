'use strict';
// mocha's own `spec` output, and in a file (--reporter-option file=…) the counts for the closing line and how each test ended.

const fs = require('node:fs');
const { reporters } = require('mocha');

module.exports = class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { file } = options.reporterOptions;
    const tests = [];
    runner.on('test end', ({ title, state }) => tests.push({ title, state }));
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      fs.writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending, tests }));
    });
  }
};
