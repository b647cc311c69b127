'use strict';

const { parse } = require('../lib/cli/arguments');

const errorOf = argv => {
  try {
    parse(argv);
  } catch (error) {
    return error;
  }
  throw new Error(`${argv.join(' ')} was taken`);
};

test.each([
  [[], 'help', []],
  [['--help'], 'help', []],
  [['-h'], 'help', []],
  [['reload', '--help'], 'help', ['reload']],
  [['help', 'reload'], 'help', ['reload']],
  [['--version'], 'version', []],
])('%p is the verb %s', (argv, verb, operands) => {
  expect(parse(argv)).toMatchObject({ verb, operands });
});

test('a folder may be named without a flag, and a flag wins over it', () => {
  expect(parse(['status', 'shop']).flags).toEqual({ 'base-dir': 'shop' });
  expect(parse(['scale', '4', 'shop', '--json'])).toMatchObject({ operands: ['4', 'shop'], flags: { 'base-dir': 'shop', json: true } });
  expect(parse(['status', 'shop', '--base-dir', 'other']).flags).toEqual({ 'base-dir': 'other' });
});

test('flags have the other names and the other spelling that egg-scripts takes', () => {
  expect(parse(['start', '-c', '4']).flags).toEqual({ workers: '4' });
  expect(parse(['start', '--cluster=4', '--ignoreStderr', '--ts', '--pidFile', 'x']).flags)
    .toEqual({ workers: '4', 'ignore-stderr': true, sourcemap: true, 'pid-file': 'x' });
});

test('what is meant for node is taken out, and what stands behind -- is not', () => {
  const { nodeFlags, operands } = parse(['start', '--inspect=9230', '--node-options--max-old-space-size=99', '--harmony-x', '--', '--inspect']);
  expect(nodeFlags).toEqual(['--inspect=9230', '--max-old-space-size=99', '--harmony-x']);
  expect(operands).toEqual(['--inspect']);
});

test.each([
  [['rload'], 'there is no command rload. Did you mean reload? `egg-clutch help` lists all.'],
  [['dance'], 'there is no command dance. `egg-clutch help` lists all.'],
  [['status', '--jsn'], 'status knows no --jsn. Did you mean --json?'],
  [['start', '--balance=kernel'], 'start knows no --balance. Another option of startCluster is given as --option balance=<value>.'],
  [['scale'], 'scale needs n: egg-clutch scale <n>'],
  [['stop', 'a', 'b'], 'stop takes only [baseDir], got a b'],
  [['reload', '--timeout'], '--timeout takes a value: --timeout=<time>'],
  [['reload', '--agent=yes'], '--agent takes no value'],
  [['completion', 'tcsh'], 'completion: shell must be bash, zsh, fish, got tcsh'],
])('%p is wrong usage: %s', (argv, message) => {
  const error = errorOf(argv);
  expect(error.message).toBe(message);
  expect(error.exitCode).toBe(2);
});
