'use strict';

// The shop's customers ask the same of two clusters, which must answer alike.

const assert = require('node:assert/strict');
const { assertAlike } = require('./alike');
const life = require('./life');
const { Pair } = require('./pair');

// npm may have to fetch a whole egg first, twice.
const INSTALL_LIMIT_MS = 300000;
const STEPS = ['products', 'pages', 'account', 'answers', 'uploads', 'streams', 'connections', 'odd_requests', 'inside'];

/** Two wrong answers are alike as well, so stock's own must be what the step is about. */
function assertExpected(answer, expected) {
  // A body of JSON is a text in the answer; its quotes are to look like those around it.
  if (expected instanceof RegExp) assert.match(JSON.stringify(answer).replaceAll('\\"', '"'), expected);
  else if (Array.isArray(expected)) assert.deepEqual(answer.map(({ status }) => status), expected);
  else assert.equal(answer.status, expected, JSON.stringify(answer));
}

module.exports = flavour => {
  const pair = new Pair(flavour);

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await pair.lay();
    await pair.open();
  });
  after(() => pair.close());

  function step(name, expected, ask) {
    it(`answers alike: ${name}`, async () => {
      const { stock, ours } = await pair.see(({ shop }) => ask(shop));
      assertExpected(stock, expected);
      assertAlike({ stock, ours });
    });
  }

  life.start(pair);
  for (const part of STEPS) describe(part.replace('_', ' '), () => require(`./steps/${part}`)(step));
  life.end(pair);
};
