'use strict';
// mocha's own `spec` output, and the counts in a file for the closing line (--reporter-option file=…).

const fs = require('node:fs');
const { reporters } = require('mocha');

module.exports = class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { file } = options.reporterOptions;
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      fs.writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
    });
  }
};
