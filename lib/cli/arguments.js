'use strict';

// From the words of the command line to a verb, its operands and its flags. Pure.

const { parseArgs } = require('util');

const { CommandError } = require('./failures');
const { VERBS } = require('./verbs');

const HELP = { type: 'boolean', short: 'h' };
const NODE_FLAG = /^--(inspect(-brk|-port|-wait)?|harmony[\w-]*|es[-_]staging|node-options--[\w-]+)(=|$)/;

/** How many letters must be changed, put in or left out. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The one of `words` that was probably meant, or undefined. */
function nearest(word, words) {
  const [best] = words.map(known => ({ known, far: distance(word, known) })).sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(1, Math.floor(word.length / 3)) ? best.known : undefined;
}

function meant(word, words, dashes = '') {
  const found = nearest(word, words);
  return found ? ` Did you mean ${dashes}${found}?` : '';
}

/** egg's tools take `--ignoreStderr` for `--ignore-stderr`. */
function withDashes(argument) {
  return argument.replace(/^--[a-z]+[A-Z][a-zA-Z]*/, name => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`));
}

function forParser(flags) {
  const options = { help: HELP };
  for (const [name, { type, short, other = [], many = false }] of Object.entries(flags)) {
    options[name] = { type, multiple: many, ...(short && { short }) };
    for (const alias of other) options[alias] = { type, multiple: many };
  }
  return options;
}

function explain(error, verb, flags) {
  const name = /'-{1,2}([\w-]+)/.exec(error.message)?.[1] ?? '';
  if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const hint = verb === 'start' ? ` Another option of startCluster is given as --option ${name}=<value>.` : '';
    const guess = meant(name, Object.keys(flags), '--');
    return `${verb} knows no ${name.length > 1 ? '--' : '-'}${name}.${guess || hint}`;
  }
  const flag = Object.entries(flags).find(([known, { short, other = [] }]) => [known, short, ...other].includes(name));
  if (flag?.[1].type === 'string') return `--${flag[0]} takes a value: --${flag[0]}=${flag[1].value}`;
  return flag ? `--${flag[0]} takes no value` : error.message;
}

function takeOperands(verb, { operands = [], words }, given) {
  if (given.length > operands.length) {
    throw CommandError.usage(`${verb} takes ${operands.length === 0 ? 'no operand' : `only ${operands.join(' ')}`}, got ${given.join(' ')}`);
  }
  const missing = operands.slice(given.length).find(name => !name.startsWith('['));
  if (missing) throw CommandError.usage(`${verb} needs ${missing}: egg-clutch ${verb} <${missing}>`);
  if (words && !words.includes(given[0])) throw CommandError.usage(`${verb}: ${operands[0]} must be ${words.join(', ')}, got ${given[0]}`);
  return given;
}

function parseFlags(verb, flags, args) {
  try {
    return parseArgs({ args, options: forParser(flags), allowPositionals: true, strict: true });
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
    throw CommandError.usage(explain(error, verb, flags));
  }
}

/** What is meant for node and not for us, taken out of the arguments of `start`. */
function takeNodeFlags(args) {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const isForNode = (argument, place) => place < end && NODE_FLAG.test(argument);
  return {
    nodeFlags: args.filter(isForNode).map(flag => flag.replace(/^--node-options--/, '--').replace(/^--es_staging/, '--es-staging')),
    own: args.filter((argument, place) => !isForNode(argument, place)),
  };
}

function unite(flags, values) {
  const named = { ...values };
  for (const [name, { other = [] }] of Object.entries(flags)) {
    for (const alias of other) {
      if (named[alias] === undefined) continue;
      named[name] ??= named[alias];
      delete named[alias];
    }
  }
  return named;
}

/** Where a cluster is looked for, its folder may be named without a flag. */
function withBaseDir({ operands: names = [], flags: known }, operands, flags) {
  const baseDir = operands[names.indexOf('[baseDir]')];
  return known['base-dir'] && baseDir !== undefined ? { 'base-dir': baseDir, ...flags } : flags;
}

/**
 * @param {string[]} argv what stands after the command's name
 * @returns {{ verb: string, operands: string[], flags: Record<string, string | boolean | string[]>, nodeFlags: string[] }} `--help`
 *   anywhere is the verb `help`
 * @throws CommandError with exit code 2
 */
function parse(argv) {
  const [verb, ...rest] = argv;
  if (verb === undefined || verb === '--help' || verb === '-h') return { verb: 'help', operands: [], flags: {}, nodeFlags: [] };
  if (verb === '--version' || verb === '-v') return { verb: 'version', operands: [], flags: {}, nodeFlags: [] };
  if (!Object.hasOwn(VERBS, verb)) {
    const guess = meant(verb, Object.keys(VERBS));
    throw CommandError.usage(`there is no command ${verb}.${guess} \`egg-clutch help\` lists all.`);
  }
  const description = VERBS[verb];
  const { nodeFlags, own } = verb === 'start' ? takeNodeFlags(rest) : { nodeFlags: [], own: rest };
  const { values, positionals } = parseFlags(verb, description.flags, own.map(withDashes));
  if (values.help) return { verb: 'help', operands: [verb], flags: {}, nodeFlags: [] };
  const operands = takeOperands(verb, description, positionals);
  return { verb, operands, flags: withBaseDir(description, operands, unite(description.flags, values)), nodeFlags };
}

module.exports = { parse, nearest };
