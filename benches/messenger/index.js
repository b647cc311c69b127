'use strict';

// npm run bench:messenger: messages through egg's own messenger in a real egg 3 app, with egg-cluster and with ours, side by side.
// Only the ratios count: of runs that came one after the other, with their range. See options.js for what there is to choose.

const { burst } = require('./burst');
const { chosenCases } = require('./cases');
const { readOptions, HELP } = require('./options');
const { Runner } = require('./runner');
const { startSpinners } = require('./spinners');
const { syscalls } = require('./syscalls');
const { render, row } = require('./table');
const { yardsticks } = require('./yardsticks');

const print = text => process.stdout.write(`${text}\n`);

async function run(options, runner) {
  const wants = name => options.cases.includes('*') || options.cases.includes(name);
  const rows = [];
  for (const aCase of chosenCases(options.cases)) {
    rows.push(row(aCase, await runner.pairs(aCase)));
    print(rows.at(-1).join('  '));
  }
  const lines = [];
  if (wants('syscalls')) lines.push(await syscalls(runner));
  if (wants('burst')) lines.push(...await burst(runner, options.share));
  if (wants('yardsticks')) lines.push(...await yardsticks());
  if (rows.length) print(`\n${render(rows)}`);
  if (lines.length) print(`\n${lines.join('\n')}`);
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (!options) return print(HELP);
  const { pairs, pin, spinners } = options;
  print(`node ${process.version}, ${pairs} pairs, ${pin ? 'a core for each end' : 'no core of its own'}, cores ${spinners ? 'kept awake' : 'may sleep'}`);
  const stopSpinners = spinners ? startSpinners() : () => {};
  const runner = new Runner(options);
  try {
    await run(options, runner);
  } finally {
    await runner.stop();
    stopSpinners();
  }
}

main();
