'use strict';

const { start, turns, SENDER } = require('./support/switchboard_of_one');

describe('a process that ends right after its first words', () => {
  test('is heard although its end is known before its fence has come', async () => {
    const { proc, ring, heard, news } = start();
    news({ kind: 'gone', ...SENDER });
    await turns();
    expect([heard, ring.letGone]).toEqual([[], []]);
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    expect(heard.map(({ action, data, from }) => [action, data, from])).toEqual([['last-words', 'adieu', 'app']]);
    expect(ring.letGone).toEqual([SENDER.place]);
  });

  test('is heard for as long as it lives where it has closed its channel, and is sent nothing', async () => {
    const { proc, ring, heard, news } = start();
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    news({ kind: 'left', ...SENDER });
    await turns();
    expect([heard.length, ring.letGone]).toEqual([1, []]);
    ring.write(SENDER.place, 'last-words');
    news({ kind: 'gone', ...SENDER });
    await turns();
    expect([heard.length, heard[1].from, ring.letGone]).toEqual([2, 'app', [SENDER.place]]);
  });

  test('is let go of once, and not in the place of who comes after it', async () => {
    const { proc, ring, news } = start();
    news({ kind: 'gone', ...SENDER });
    news({ kind: 'joined', ...SENDER, generation: 8, role: 'app', pid: 3 });
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    expect(ring.letGone).toEqual([]);
  });
});

describe('a message of which only some receivers have come', () => {
  test('is itself, although it sends others while the channel writes it for the rest', async () => {
    const { board, proc, heard, news } = start();
    news({ kind: 'expected', place: 2, generation: 1, role: 'app', pid: 3 });
    const data = { toJSON: () => board.send({ action: 'inner', data: 'of the inner', receiverPid: '2' }) && 'of the outer' };
    board.send({ action: 'outer', data, to: 'app' });
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    const inner = ['inner', 'of the inner'];
    expect(heard.slice(1).map(({ action, data: said }) => [action, said])).toEqual([inner, inner, ['outer', 'of the outer']]);
  });
});
