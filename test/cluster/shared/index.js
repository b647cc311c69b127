'use strict';

// What every cluster must do, whatever framework runs in it.

const { Subject } = require('./subject');

// npm may have to fetch a whole egg first.
const INSTALL_LIMIT_MS = 300000;

const PARTS = ['start_and_stop', 'in_service', 'in_development', 'forced_stop', 'failed_start'];

module.exports = (name, title) => describe(title, () => {
  const subject = new Subject(name);

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await subject.lay();
  });

  for (const part of PARTS) require(`./${part}`)(subject);
});
