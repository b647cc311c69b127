'use strict';

const { execFileSync } = require('node:child_process');
const { SCRIPTS } = require('../lib/cli/completion_scripts');
const { helpText } = require('../lib/cli/help_text');
const { statusText } = require('../lib/cli/status_text');
const { amount, bytes, lag, percent, span } = require('../lib/cli/units');
const { VERBS } = require('../lib/cli/verbs');
const { STATUS } = require('./support/fake_control');

const plain = (_colour, text) => text;

test('the help names every verb, and the help of each verb every flag and an example', () => {
  const overview = helpText();
  for (const [verb, { flags, examples }] of Object.entries(VERBS)) {
    expect(overview).toMatch(new RegExp(`^  ${verb}( |$)`, 'm'));
    const text = helpText(verb);
    for (const flag of Object.keys(flags)) expect(text).toContain(`--${flag}`);
    expect(examples.length).toBeGreaterThan(0);
    expect(text).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such cluster.');
  }
});

test('bash completes verbs, flags and what an operand can be', () => {
  const complete = words => {
    const script = `${SCRIPTS.bash()}\nCOMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}\n_egg_clutch; echo "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split(' ');
  };
  expect(complete(['egg-clutch', 're'])).toEqual(['reload', 'restart', 'rejoin']);
  expect(complete(['egg-clutch', 'reload', '--ag'])).toEqual(['--agent']);
  expect(complete(['egg-clutch', 'restart', 'a'])).toEqual(['agent']);
  expect(complete(['egg-clutch', 'completion', ''])).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
  for (const verb of ['start', 'status', 'logs']) expect(complete(['egg-clutch', verb, __dirname.slice(0, -1)])).toContain(__dirname);
});

test.each(['zsh', 'fish'])('the script for %s knows every verb and flag', shell => {
  const script = SCRIPTS[shell]();
  for (const [verb, { flags }] of Object.entries(VERBS)) {
    expect(script).toContain(verb);
    for (const flag of Object.keys(flags)) expect(script).toContain(shell === 'zsh' ? `--${flag}` : `-l ${flag} `);
  }
});

test('a status says first how the cluster is, then who is there', () => {
  expect(statusText(STATUS, plain)).toBe([
    `ready · 2 of 2 serve · http://127.0.0.1:7001 · master ${process.pid}`, '',
    'ID     STATE     PID  GEN',
    'agent  ready     100    1',
    '1      ready     101    1',
    '3      isolated  103    2', '',
  ].join('\n'));
});

test('a status tells why processes died, unless they were asked to leave', () => {
  const death = { role: 'app', slot: 1, id: 2, kind: 'killed', words: 'was killed by SIGKILL', phase: 'serving' };
  const text = statusText({ ...STATUS, lastDeaths: [death, { ...death, id: 9, kind: 'asked', words: 'left' }] }, plain);
  expect(text).toContain('  worker 2 in place 1 was killed by SIGKILL\n');
  expect(text).not.toContain('left');
});

test('columns of which nothing is known are left out, and unknown cells are a dash', () => {
  const [first, second] = STATUS.workers;
  const text = statusText({ ...STATUS, workers: [{ ...first, vitals: { uptimeMs: 61000 } }, second] }, plain);
  expect(text).toContain('ID     STATE     PID  GEN  UP\n');
  expect(text).toContain('1      ready     101    1  1m\n');
  expect(text).toContain('3      isolated  103    2   -\n');
});

test.each([
  [bytes, 512, '512B'], [bytes, 1536, '1.5K'], [bytes, 64 * 1024 * 1024, '64M'], [bytes, undefined, '-'],
  [span, 80, '80ms'], [span, 4200, '4.2s'], [span, 59000, '59s'], [span, 720000, '12m'], [span, 11100000, '3h5m'], [span, 187200000, '2d4h'],
  [amount, 17, '17'], [amount, 1234, '1.2k'], [amount, 12345, '12k'], [amount, 3400000, '3.4M'], [amount, null, '-'],
  [lag, 0.42, '0.4'], [lag, 1500, '1.5s'], [percent, 0.973, '97%'], [percent, undefined, '-'],
])('%p of %p is %p', (unit, value, text) => {
  expect(unit(value)).toBe(text);
});
