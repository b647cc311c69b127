'use strict';
// `npm run contract [-- 18 22 …]`: asks every line of the contract of the stock layers and of ours, under this Node or under those
// named, and prints a table. `--last`: the table of what the last `npm test` asked.

const fs = require('node:fs');
const { LINES } = require('../test/contract/lines');
const { build } = require('./build');
const { nodeBinary } = require('./nodes');
const runners = require('./runners');

const TESTS = 'test/contract/*.test.js';
const TITLE = /^([\d.]+) .* · (egg \d, (?:stock|ours))$/;
const COLUMNS = ['egg 3, stock', 'egg 3, ours', 'egg 4, stock', 'egg 4, ours'];

/** Map of "<id> <column>" to whether all of its tests passed. */
function answersOf(tests) {
  const answers = new Map();
  for (const { title, state } of tests) {
    const [, id, column] = TITLE.exec(title) ?? [];
    if (!id) continue;
    const key = `${id} ${column}`;
    answers.set(key, (answers.get(key) ?? true) && state === 'passed');
  }
  return answers;
}

function isAsked(id, column) {
  const { versions } = LINES[id];
  return !versions || versions.includes(column.startsWith('egg 3') ? 2 : 3);
}

function cell(answers, id, column) {
  if (!isAsked(id, column)) return '';
  const passed = answers.get(`${id} ${column}`);
  if (passed === false) return 'FAILED';
  if (column.endsWith('stock') && LINES[id].onPurpose) return `differs (${LINES[id].onPurpose})`;
  return passed ? 'yes' : '-';
}

function print(answers, columns) {
  const show = (id, cells, text) => process.stdout.write(`${id.padEnd(8)}${cells.map(text => text.padEnd(14)).join('')}${text}\n`);
  show('line', columns, '');
  for (const [id, { text }] of Object.entries(LINES)) show(id, columns.map(column => cell(answers, id, column)), text);
  process.stdout.write('differs (n): on purpose, number n of the list in the README; -: not asked\n');
}

/** Prints the table of one run; tells whether ours answered every line as it should. */
function table(tests) {
  const answers = answersOf(tests);
  const columns = COLUMNS.filter(column => [...answers.keys()].some(key => key.endsWith(column)));
  print(answers, columns);
  const ours = columns.filter(column => column.endsWith('ours'));
  const missing = Object.keys(LINES).filter(id => ours.some(column => isAsked(id, column)) && !ours.some(column => answers.has(`${id} ${column}`)));
  if (missing.length) process.stderr.write(`egg-clutch: nobody answered the lines ${missing.join(', ')}\n`);
  return missing.length === 0 && ![...answers.values()].includes(false);
}

function testsOf(lane) {
  const file = runners.reportFile(lane);
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).tests : [];
}

async function ask(lane, nodePath) {
  await runners.cluster({ nodePath, lane, extra: [TESTS] });
  return table(testsOf(lane));
}

async function main(words) {
  if (words.includes('--last')) return table(testsOf('cluster'));
  if (!await build({ ifNeeded: true })) return false;
  if (!words.length) return ask('contract');
  let good = true;
  for (const major of words) {
    process.stdout.write(`\n--- the contract on Node ${major}\n`);
    good = await ask(`contract-node${major}`, await nodeBinary(major)) && good;
  }
  return good;
}

main(process.argv.slice(2)).then(good => {
  process.exitCode = good ? 0 : 1;
}, error => {
  process.stderr.write(`egg-clutch: ${error.message}\n`);
  process.exitCode = 1;
});
