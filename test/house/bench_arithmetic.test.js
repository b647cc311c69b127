'use strict';
// What the bench of the messenger makes of its figures.

const assert = require('node:assert/strict');
const { median, ratios, short } = require('../../benches/messenger/arithmetic');
const { allCases, chosenCases } = require('../../benches/messenger/cases');
const { readOptions } = require('../../benches/messenger/options');
const { row } = require('../../benches/messenger/table');
const { payload } = require('../fixtures/apps/measures_messages/payloads');

describe("the bench's arithmetic", () => {
  it('takes the middle one, and the mean of the two in the middle', () => {
    assert.deepEqual([[3], [9, 1, 5], [4, 1, 3, 2]].map(median), [3, 5, 2.5]);
  });

  it('compares each pair by itself, whichever way is better', () => {
    const pairs = [{ stock: 100, ours: 10 }, { stock: 30, ours: 10 }, { stock: 1000, ours: 50 }];
    assert.deepEqual(ratios(pairs, 'lower'), { median: 10, least: 3, most: 20 });
    assert.deepEqual(ratios([{ stock: 10, ours: 100 }], 'higher'), { median: 10, least: 10, most: 10 });
  });

  it('writes three digits', () => {
    assert.deepEqual([0, 0.01234, 12.345, 1234.5, Infinity, NaN].map(short), ['0', '0.0123', '12.3', '1,235', '–', '–']);
  });

  it('says of each case whether its target is met', () => {
    const [aCase] = chosenCases(['trip:str:16K']);
    const figures = value => ({ value, cpu: 1, master: 0, peak: 100 });
    const verdict = ours => row(aCase, [{ stock: figures(100), ours: figures(ours) }]).join(' ');
    assert.match(verdict(10), /10× \(10–10\).*≥ 10× met/);
    assert.match(verdict(11), /≥ 10× missed/);
  });

  it('has a target for every case of texts, and chooses by name', () => {
    const texts = allCases().filter(({ serialization }) => serialization === 'json');
    assert.ok(texts.every(({ target }) => target >= 3));
    assert.ok(allCases().every(({ counts }) => counts.stock >= 4 && counts.ours >= counts.stock));
    assert.equal(texts.length, 60);
    assert.equal(chosenCases(['*']).length, allCases().length);
    assert.deepEqual(chosenCases(['trip:buf:1K', 'trip:lent:64B']).map(({ target }) => target), [15, 0]);
    assert.deepEqual(chosenCases(['down?:str:64B', 'down*:obj:8M']).map(({ name }) => name), ['down1:obj:8M', 'down4:obj:8M']);
  });

  it('sends as many bytes as it says', () => {
    for (const bytes of [64, 1024, 16384]) {
      assert.equal(payload('str', bytes).length, bytes);
      const { length } = JSON.stringify(payload('obj', bytes));
      assert.ok(length >= bytes * 0.9 && length <= bytes * 1.4, `${length} for ${bytes}`);
    }
  });

  it('refuses what it cannot do', () => {
    assert.throws(() => readOptions(['--pairs', 'many']), /--pairs/);
    assert.throws(() => readOptions(['--fast']), /--fast/);
    assert.deepEqual(readOptions(['--quick']).pairs, 2);
  });
});
