'use strict';

const assert = require('node:assert/strict');
const { soakReloads } = require('../helpers/reload_soak');

// `npm run soak:reload` has many more.
const RELOADS = Number(process.env.SOAK_RELOADS ?? 3);
const REQUESTS = process.env.SOAK_RELOADS ? RELOADS * 1000 : 0;

it(`${RELOADS} reloads under clients of every kind lose no request, and never is a worker missing`, async function () {
  this.timeout(120000 + RELOADS * 20000);
  const { answered, failures, reloads, samples, below } = await soakReloads(RELOADS, REQUESTS);
  const sum = Object.values(answered).reduce((all, count) => all + count, 0);
  if (process.env.SOAK_RELOADS) console.log(`${reloads} reloads, ${failures.length} failed of ${sum + failures.length}`, answered, `${below} of ${samples} looks found a worker missing`);
  assert.deepEqual(failures.slice(0, 20), []);
  assert.equal(below, 0);
  for (const [kind, count] of Object.entries(answered)) assert.ok(count > 0, `no client that is ${kind} was answered`);
});
