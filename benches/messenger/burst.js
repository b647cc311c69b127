'use strict';

// 100,000 messages of 10 KB from an app to the agent in one turn of its loop.

const { short } = require('./arithmetic');

const COUNT = 100000;
const BYTES = 10 * 1024;

/** Resolves to lines. */
async function burst(runner, share) {
  const lines = [];
  const count = Math.round(COUNT * share);
  for (const shape of ['str', 'obj']) {
    const cells = [];
    for (const layer of ['stock', 'ours']) {
      const subject = await runner.subject(layer, 1);
      const order = { op: 'ask', task: 'upstream', shape, bytes: BYTES, count, inOneTurn: true };
      const { answer, peaks } = await subject.measure(order);
      const peak = peaks.reduce((sum, one) => sum + one, 0);
      cells.push({ seconds: answer.ns / 1e9, blocked: answer.blocked / 1e9, peak });
    }
    const [stock, ours] = cells;
    const change = key => `${short(stock[key])} → ${short(ours[key])}`;
    lines.push(`burst of ${count} × 10 KB, ${shape}: ${change('seconds')} s; the sender's loop stands still for ${change('blocked')} s; `
      + `peak memory of all processes ${change('peak')} MiB (${short(ours.peak / stock.peak * 100)} %, target below 50 %)`);
  }
  return lines;
}

module.exports = { burst };
