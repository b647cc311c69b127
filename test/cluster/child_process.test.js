'use strict';

// The addon learns of its children's ends one by one; those of the master's own child_process must not be taken from libuv.

const assert = require('node:assert/strict');
const path = require('node:path');
const { Subject } = require('./shared/subject');

const COUNT = 300;
const DEATHS = 6;

describe('child_process in the master', () => {
  it(`tells how each of ${COUNT} programs ended while workers die and are replaced`, async () => {
    const cluster = await new Subject('embedded').start({}, {
      starter: path.join(__dirname, '..', 'fixtures', 'masters', 'runs_children.js'),
    });
    await cluster.ready();
    cluster.send({ action: 'run', data: { count: COUNT } });
    for (let death = 1; death <= DEATHS; death++) {
      process.kill(cluster.appPids()[0], 'SIGKILL');
      await cluster.output(new RegExp(`app_worker#${death + 2}:\\d+ started at`));
    }
    const { data: ends } = await cluster.message('ran');
    const expected = place => (place % 3 === 2 ? [null, 'SIGKILL'] : [place % 256, null]);
    assert.deepEqual(ends, Array.from({ length: COUNT }, (_, place) => expected(place)));
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  });
});
