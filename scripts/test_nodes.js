'use strict';
// `npm run test:nodes [-- 18 22 | --others]`: the mocha and Jest suites under each supported Node (or those named, or all but
// the one that runs this), on the same built addon.

const { build } = require('./build');
const { nodeBinary, SUPPORTED } = require('./nodes');
const { report, save } = require('./results');
const runners = require('./runners');

async function main(majors) {
  if (!await build({ ifNeeded: true })) return 1;
  const results = [];
  for (const major of majors) {
    const nodePath = await nodeBinary(major);
    for (const name of ['cluster', 'binding']) {
      process.stdout.write(`\n--- ${name} on Node ${major}\n`);
      const result = await runners[name]({ nodePath, lane: `${name}-node${major}` });
      save(result);
      results.push(result);
    }
  }
  return report(results);
}

function chosen(words) {
  const [own] = process.versions.node.split('.');
  if (words.includes('--others')) return SUPPORTED.filter(major => major !== own);
  return words.length ? words : SUPPORTED;
}

main(chosen(process.argv.slice(2))).then(code => {
  process.exitCode = code;
}, error => {
  process.stderr.write(`egg-clutch: ${error.message}\n`);
  process.exitCode = 1;
});
