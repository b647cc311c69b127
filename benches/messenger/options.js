'use strict';

// The command line of the bench.

const { parseArgs } = require('node:util');

const QUICK_CASES = 'trip:str:64B,trip:str:16K,trip:obj:1K,down1:str:64B,down1:obj:1K,unheard:str:1K';
const QUICK_SHARE = 0.25;

const HELP = `npm run bench:messenger -- [options]
  --cases a,b        which cases: kind:shape:size with * for anything, and burst, syscalls, yardsticks. Default: all
                     kinds trip, down1, down4, up, unheard; sizes 64B, 1K, 16K, 256K, 1M, 8M;
                     shapes str, obj, and, cloned by ours, buf (a Buffer), clone (an object that JSON has no form for, with one),
                     lent (Buffers of alloc, in place, a byte at each end touched), filled (the same, all of it written and read)
  --pairs n          pairs of runs, stock's and ours, for each case. Default: 5
  --quick            a few cases, two pairs of short runs: under a minute
  --no-pin           leave it to the scheduler which core a process runs on. Otherwise, with one app, agent and app have a core each,
                     as on a machine that does nothing else
  --no-spinners      let cores sleep
`;

/** @returns {{ cases: string[], pairs: number, share: number, pin: boolean, spinners: boolean } | null} null where help was asked for */
function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      'cases': { type: 'string' },
      'pairs': { type: 'string' },
      'quick': { type: 'boolean', default: false },
      'no-pin': { type: 'boolean', default: false },
      'no-spinners': { type: 'boolean', default: false },
      'help': { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const pairs = Number(values.pairs ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(pairs) || pairs < 1) throw new Error(`--pairs must be a number from 1, not ${values.pairs}`);
  return {
    cases: (values.cases ?? (values.quick ? QUICK_CASES : '*')).split(','),
    pairs,
    share: values.quick ? QUICK_SHARE : 1,
    pin: !values['no-pin'],
    spinners: !values['no-spinners'],
  };
}

module.exports = { readOptions, HELP };
