'use strict';
// `npm test`: builds what is out of date, runs all tests over all runners and closes with "N passed, N failed".
// `npm test rust|cluster|binding -- …`: one runner only; what follows is handed to it.

const { build } = require('./build');
const { forget, report, save } = require('./results');
const runners = require('./runners');

const LANES = {
  rust: extra => runners.rust(extra),
  cluster: extra => runners.cluster({ extra }),
  binding: extra => runners.binding({ extra }),
};

async function main([lane, ...extra]) {
  if (lane !== undefined && !LANES[lane]) {
    process.stderr.write(`egg-clutch: no test lane '${lane}', there are ${Object.keys(LANES).join(', ')}\n`);
    return 2;
  }
  if (lane !== 'rust' && !await build({ ifNeeded: true })) return 1;
  forget();
  const results = [];
  for (const name of lane ? [lane] : Object.keys(LANES)) {
    const result = await LANES[name](extra);
    save(result);
    results.push(result);
  }
  return report(results);
}

main(process.argv.slice(2)).then(code => {
  process.exitCode = code;
});
