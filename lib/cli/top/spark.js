'use strict';

// A row of values as a row of small bars. Pure.

const BARS = [...'▁▂▃▄▅▆▇█'];
const PLAIN = [...'_.,-=+*#'];

/** The last `width` values; unknown ones are blanks, and what nothing is known of is as long. */
function spark(values, width, plain = false) {
  const signs = plain ? PLAIN : BARS;
  const shown = values.slice(-width);
  const most = Math.max(...shown.filter(value => value !== undefined), 0);
  const bars = shown.map(value => {
    if (value === undefined) return ' ';
    return signs[most === 0 ? 0 : Math.min(signs.length - 1, Math.floor(value / most * (signs.length - 1) + 0.5))];
  });
  return bars.join('').padStart(width);
}

module.exports = { spark };
