'use strict';
// A clock that somebody sets must hurry nobody and hold up nobody: what is waited for goes by the monotonic clock. The time of day is for
// the lines of the log, and for the seed of what is drawn.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');
const TIME_OF_DAY = /SystemTime|UNIX_EPOCH|CLOCK_REALTIME|Zoned::now|Timestamp::now|Date\.now|new Date\(\)/;
const MAY_ASK = [
  'lib/worker/console_logger.js', 'src/control/page/main.js', 'src/master/console.rs', 'src/master/shell.rs',
];

function files(folder) {
  return fs.readdirSync(path.join(ROOT, folder), { recursive: true })
    .filter(name => /\.(rs|js)$/.test(name) && !/_tests\.rs$/.test(name)).map(name => path.join(folder, name));
}

// The command line's own waits end with a person in front of it.
const isWatched = name => name.startsWith(path.join('lib', 'cli'));

describe('the time of day', () => {
  it('is asked where a line is dated, and nowhere else', () => {
    const asks = [...files('src'), ...files('lib')].filter(name => !isWatched(name) && TIME_OF_DAY.test(fs.readFileSync(path.join(ROOT, name), 'utf8')));
    assert.deepEqual(asks.sort(), MAY_ASK);
  });
});
