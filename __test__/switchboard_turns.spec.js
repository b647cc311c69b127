'use strict';

const { start, turns, SENDER } = require('./support/switchboard_of_one');

const { HEARS } = require('../lib/worker/switchboard/audience');

const MB = 1024 * 1024;
const fence = { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER };

describe('what lies in the rings', () => {
  test('is taken before any message that the channel brings', () => {
    const { proc, heard } = start();
    proc.emit('internalMessage', fence);
    proc.emit('message', { action: 'by the channel' });
    expect(heard.map(({ action }) => action)).toEqual(['last-words', 'by the channel']);
  });

  test('stays there until somebody listens, as what the channel brings', async () => {
    const { proc, ring, ringBell } = start();
    proc.removeAllListeners('message');
    const receive = jest.spyOn(ring, 'receive');
    proc.emit('internalMessage', fence);
    proc.emit('message', { action: 'by the channel' });
    ringBell();
    await turns();
    expect(receive).not.toHaveBeenCalled();
    const heard = [];
    proc.on('message', message => heard.push(message.action));
    await turns();
    expect(heard).toEqual(['last-words']);
  });

  test('is taken in parts of some megabytes, so that sockets and timers get their turn', async () => {
    const COUNT = 100;
    const { board, proc, heard, ringBell } = start();
    for (let i = 0; i < COUNT; i++) board.send({ action: 'large', data: 'x'.repeat(MB / 4), receiverPid: '2' });
    proc.emit('internalMessage', fence);
    const parts = [];
    while (heard.length <= COUNT) {
      const before = heard.length;
      ringBell();
      await new Promise(resolve => setImmediate(resolve));
      parts.push(heard.length - before);
    }
    // A turn may begin before and behind the wait.
    expect(Math.max(...parts)).toBeLessThan(COUNT / 4);
  });
});

describe('a message that nobody listens for', () => {
  test('is passed unread, and the others are read', async () => {
    const { board, proc, ring, ringBell } = start({ isReady: false });
    proc.emit('message', { action: 'egg-ready' });
    proc.removeAllListeners('message');
    const heard = [];
    const listener = message => heard.push([message.action, message.data.length]);
    listener[HEARS] = action => action === 'wanted';
    proc.on('message', listener);
    const [taken, passed] = ['takeText', 'pass'].map(name => jest.spyOn(ring, name));
    for (const action of ['unwanted', 'wanted', 'unwanted']) board.send({ action, data: 'x'.repeat(MB / 4), receiverPid: '2' });
    proc.emit('internalMessage', fence);
    for (let turn = 0; turn < 3; turn++) {
      ringBell();
      await turns();
    }
    expect(heard).toEqual([['wanted', MB / 4]]);
    expect([taken.mock.calls.length, passed.mock.calls.length]).toEqual([1, 2]);
    const { wanted, unwanted } = board.meter.traffic.snapshot();
    expect([wanted.received, unwanted.received]).toEqual([1, 2]);
  });
});

describe('what is sent before egg-ready', () => {
  test('goes by the channel to all, so that the master can keep it for those that are not there yet', () => {
    const { board, heard, byChannel } = start({ isReady: false });
    board.send({ action: 'early', data: 1, to: 'app' });
    board.send({ action: 'early', data: 2, receiverPid: '2' });
    expect(byChannel.filter(({ action }) => action === 'early').map(({ data }) => data)).toEqual([1, 2]);
    expect(heard).toEqual([]);
  });
});
