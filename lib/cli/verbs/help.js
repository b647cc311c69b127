'use strict';

const { nearest } = require('../arguments');
const { CommandError } = require('../failures');
const { helpText } = require('../help_text');
const { VERBS } = require('../verbs');

/** `egg-clutch help [command]` */
async function help({ operands: [verb] }, { stdout }) {
  if (verb !== undefined && !Object.hasOwn(VERBS, verb)) {
    const guess = nearest(verb, Object.keys(VERBS));
    throw CommandError.usage(`there is no command ${verb}.${guess ? ` Did you mean ${guess}?` : ''} \`egg-clutch help\` lists all.`);
  }
  stdout.write(helpText(verb));
}

module.exports = { help };
