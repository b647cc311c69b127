'use strict';
// `npm run accidents [-- --grep …]`: has everything happen to stock egg-cluster 2.5 and to ours side by side that test/accidents knows,
// and prints what came of it.

const fs = require('node:fs');
const path = require('node:path');
const { build } = require('./build');
const runners = require('./runners');
const { ROOT } = require('./tools');

const FILE = path.join(ROOT, '.tmp', 'accidents.jsonl');

async function main(words) {
  if (!await build({ ifNeeded: true })) return false;
  fs.mkdirSync(path.dirname(FILE), { recursive: true });
  fs.rmSync(FILE, { force: true });
  const { failed } = await runners.cluster({ lane: 'accidents', extra: ['test/accidents/accidents.test.js', ...words], env: { ACCIDENTS_FILE: FILE } });
  const lines = fs.existsSync(FILE) ? fs.readFileSync(FILE, 'utf8').trim().split('\n').map(line => JSON.parse(line)) : [];
  process.stdout.write('\n| accident | egg-cluster 2.5 | egg-clutch |\n|---|---|---|\n');
  for (const { accident, stock, ours } of lines) process.stdout.write(`| ${accident} | ${stock} | ${ours} |\n`);
  return failed === 0;
}

main(process.argv.slice(2)).then(good => {
  process.exitCode = good ? 0 : 1;
}, error => {
  process.stderr.write(`egg-clutch: ${error.message}\n`);
  process.exitCode = 1;
});
