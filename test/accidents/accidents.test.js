'use strict';
// What happens to clusters, done to egg-cluster 2.5 and to ours side by side, and what comes of it: `npm run accidents`. Where something
// else comes of it than is said, of either, the test has failed. In CI a few happen, to ours alone.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { SUBJECTS, SMALL } = require('../contract/subjects');
const { startFolder } = require('../helpers/folder_cluster');
const { Site } = require('./site');

const FAMILIES = ['stops', 'deaths', 'connections', 'standstills', 'scarcities'];
// Where each outcome is written to, as a line of JSON. Without it this is CI.
const FILE = process.env.ACCIDENTS_FILE;

/** Ours as it lies here, without an egg to install. */
const HERE = {
  stock: false,
  lay: () => {},
  start(options, { fault = [], env, ...settings }) {
    return startFolder('plain', { baseDir: SMALL, framework: SMALL, ...options }, { env: { ...env, PROBE_FAULT: JSON.stringify(fault) }, ...settings });
  },
};

const ASKED = FILE ? SUBJECTS.filter(({ egg }) => egg === 3) : [HERE];
// npm may have to fetch egg 3 first.
const INSTALL_LIMIT_MS = 300000;

async function outcome(subject, play) {
  const site = new Site(subject);
  try {
    return [site.name, await play(site)];
  } finally {
    site.end();
  }
}

for (const family of FAMILIES) {
  describe(`accidents: ${family}`, () => {
    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      for (const subject of ASKED) await subject.lay();
    });

    for (const { accident, inCi, stock, ours, play, isPossible, tidyUp, limitMs = 120000 } of require(`./${family}`)) {
      if (!FILE && !inCi || isPossible?.() === false) continue;
      it(accident, async function () {
        this.timeout(limitMs);
        const outcomes = Object.fromEntries(await Promise.all(ASKED.map(subject => outcome(subject, play)))
          .finally(() => tidyUp?.()));
        if (FILE) fs.appendFileSync(FILE, `${JSON.stringify({ accident, ...outcomes })}\n`);
        assert.deepEqual(outcomes, FILE ? { stock, ours } : { ours });
      });
    }
  });
}
