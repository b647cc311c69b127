'use strict';
// `npm run test:nodes [-- 18 22 | --others]`: the mocha and Jest suites under each supported Node (or those named, or all but
// the one that runs this), on the same built addon.
// The binaries come from the npm packages node-linux-<arch> and are kept in .tmp/nodes.

const fs = require('node:fs');
const path = require('node:path');
const { build } = require('./build');
const { report, save } = require('./results');
const runners = require('./runners');
const { ROOT, run } = require('./tools');

const SUPPORTED = ['18', '20', '22', '24'];

async function nodeBinary(major) {
  const name = `node-linux-${process.arch}`;
  const folder = path.join(ROOT, '.tmp', 'nodes', major);
  const binary = path.join(folder, 'node_modules', name, 'bin', 'node');
  if (fs.existsSync(binary)) return binary;
  fs.mkdirSync(folder, { recursive: true });
  // npm looks upwards for a package.json and would install into the project without one here.
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true }));
  const { code } = await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${major}`]);
  if (code !== 0 || !fs.existsSync(binary)) throw new Error(`${name}@${major} could not be installed into ${folder}`);
  return binary;
}

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
