'use strict';

const { Surplus } = require('../lib/worker/switchboard/surplus');

/** So many messages wait; `step` says how many go at each try. */
class Queue {
  finished = 0;

  constructor(messages, step) {
    Object.assign(this, { messages, step });
  }

  flush() {
    this.messages = Math.max(0, this.messages - this.step());
    return this.messages === 0;
  }

  load() {
    return { messages: this.messages };
  }

  finish() {
    this.finished += 1;
  }
}

function start(queue, connected = true) {
  const looks = [];
  const surplus = new Surplus({ endpoint: queue, proc: { connected }, watchers: [{ look: () => looks.push(queue.messages) }] });
  return { surplus, looks };
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

describe('what waits in a process', () => {
  test('is waited for as long as somebody reads, however long that takes', async () => {
    let isLate = false;
    // Longer than anybody is waited for who reads nothing.
    setTimeout(() => { isLate = true; }, 600);
    const queue = new Queue(1e9, () => (isLate ? Infinity : 1));
    const { surplus, looks } = start(queue);
    await surplus.whenGone();
    expect([queue.messages, isLate, looks.at(-1)]).toEqual([0, true, 0]);
  });

  test('is not waited for where nobody reads', async () => {
    const queue = new Queue(5, () => 0);
    const { surplus } = start(queue);
    await surplus.whenGone();
    expect(queue.messages).toBe(5);
  });

  test('keeps a process alive that has nothing else to do, once', async () => {
    const queue = new Queue(5, () => 1);
    const { surplus } = start(queue);
    surplus.linger();
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const alive = timers();
    const turn = () => new Promise(setImmediate);
    while (queue.messages > 0 || timers() >= alive) await turn();
    queue.messages = 5;
    surplus.linger();
    expect(queue.messages).toBe(5);
  });

  test('is tried again when the channel is closed, and then the others are told that there is no more', async () => {
    const queue = new Queue(3, () => 1);
    const { surplus } = start(queue, false);
    surplus.note();
    surplus.finish();
    for (let limit = 0; queue.messages > 0 && limit < 1000; limit++) await pause(2);
    expect([queue.messages, queue.finished]).toEqual([0, 1]);
    const empty = new Queue(0, () => 0);
    start(empty, false).surplus.finish();
    expect(empty.finished).toBe(1);
  });
});
