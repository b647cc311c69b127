'use strict';

// What every cluster must do, whatever framework runs in it.

const { Subject } = require('./subject');

// npm may have to fetch a whole egg first.
const INSTALL_LIMIT_MS = 300000;

const PARTS = ['start_and_stop', 'in_service', 'forced_stop', 'failed_start'];
// test/contract asks the same of our package in egg's place.
const PARTS_OF_THE_EMBEDDED = ['in_development'];

module.exports = (name, title) => describe(title, () => {
  const subject = new Subject(name);

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await subject.lay();
  });

  const parts = subject.isEgg ? PARTS : [...PARTS, ...PARTS_OF_THE_EMBEDDED];
  for (const part of parts) require(`./${part}`)(subject);
});
