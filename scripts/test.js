'use strict';
// `npm test`: builds what is out of date, runs all tests over all runners and closes with "N passed, N failed".
// `npm test rust|cluster|binding|loom|miri|tsan|fuzz|chaos -- …`: one runner only; what follows is handed to it.

const { build } = require('./build');
const { forget, report, save } = require('./results');
const runners = require('./runners');

const LANES = {
  rust: extra => runners.rust(extra),
  cluster: extra => runners.cluster({ extra }),
  binding: extra => runners.binding({ extra }),
};
// Minutes each, so they are run by name only.
const LONG_LANES = { loom: runners.loom, miri: runners.miri, tsan: runners.tsan, fuzz: runners.fuzz, chaos: runners.chaos };
const NEEDS_ADDON = ['cluster', 'binding', 'chaos'];

async function main([lane, ...extra]) {
  const lanes = { ...LANES, ...LONG_LANES };
  if (lane !== undefined && !lanes[lane]) {
    process.stderr.write(`egg-clutch: no test lane '${lane}', there are ${Object.keys(lanes).join(', ')}\n`);
    return 2;
  }
  const chosen = lane ? [lane] : Object.keys(LANES);
  if (chosen.some(name => NEEDS_ADDON.includes(name)) && !await build({ ifNeeded: true })) return 1;
  // One lane by itself is counted anew, beside what the others last counted.
  if (!lane) forget();
  const results = [];
  for (const name of chosen) {
    const result = await lanes[name](extra);
    save(result);
    results.push(result);
  }
  return report(results);
}

main(process.argv.slice(2)).then(code => {
  process.exitCode = code;
});
