'use strict';

// The screen of `top` as lines: from what is known, how large the screen is, and what is selected. Pure.

const { COLUMNS, knownColumns, table } = require('../columns');
const { headline, colourOf } = require('../status_text');
const { amount, bytes, lag, percent } = require('../units');
const { visible } = require('../visible');
const { seriesOf, totalRates } = require('./history');
const { spark } = require('./spark');
const { sorted, selectedOf, nameOf } = require('./view');

const FOOTER = 'q leave  h keys  ↑↓ select  ←→ sort  o order  r restart  i isolate  j rejoin  s stack  R reload';
const PLAIN_FOOTER = FOOTER.replace('↑↓', 'up/down').replace('←→', 'left/right');
const DETAILS = [['loop', 'loop', percent], ['lagMs', 'lag', lag], ['cpu', 'cpu', percent], ['memory', 'memory', bytes], ['rate', 'req/s', amount]];
const LEAST_WIDTH = 20;
const SPARK_WIDTH = 60;

function cut(text, width) {
  return text.length > width ? text.slice(0, width) : text;
}

/** The titles say by what is sorted, and how. */
function marked(columns, { sort, descending }) {
  return columns.map(column => (column.name === sort ? { ...column, title: `${column.title}${descending ? 'v' : '^'}` } : column));
}

function tableLines({ processes, columns, view }, width, paint) {
  const { head, rows } = table(processes, marked(columns, view), width - 2);
  const chosen = selectedOf(processes, view);
  return [
    paint('bold', cut(`  ${head}`, width)),
    ...rows.map((row, place) => {
      const found = processes[place];
      const line = cut(`${found === chosen ? '> ' : '  '}${row}`, width);
      if (found === chosen) return paint('reverse', line.padEnd(width));
      return found.state === 'ready' ? line : paint(colourOf(found.state), line);
    }),
  ];
}

function detailLines(history, found, width, { paint, plain }) {
  const bars = Math.max(1, Math.min(SPARK_WIDTH, width - 20));
  const rows = DETAILS.map(([fact, title, show]) => [title, seriesOf(history, found, fact), show])
    .filter(([, values]) => values.at(-1) !== undefined)
    .map(([title, values, show]) => cut(`  ${title.padEnd(7)} ${spark(values, bars, plain)} ${show(values.at(-1))}`, width));
  return [paint('bold', cut(`${nameOf(found)}, process ${found.pid ?? 'none yet'}`, width)), ...rows];
}

function deathLines({ lastDeaths = [] }, width, paint) {
  const shown = lastDeaths.filter(({ kind }) => kind !== 'asked');
  if (shown.length === 0) return [];
  const lines = shown.map(({ role, id, words }) => `  ${role === 'agent' ? role : `worker ${id}`} ${visible(words).replaceAll('\n', ' ')}`);
  return [paint('bold', 'deaths'), ...lines.map(line => cut(line, width))];
}

function pageLines({ title, lines, from }, size, paint) {
  const shown = lines.slice(from, from + size.rows - 3).map(line => cut(visible(line).replaceAll('\t', '  '), size.columns));
  return [paint('bold', title), ...shown];
}

function footer({ asking, page, said }, width, { paint, plain }) {
  if (asking) return paint('bold', cut(`${asking.question} [y/N]`, width));
  if (page) return paint('dim', cut('any key leads back, up and down turn over', width));
  if (said) return cut(visible(said).replaceAll('\n', ' '), width);
  return paint('dim', cut(plain ? PLAIN_FOOTER : FOOTER, width));
}

/** As many lines as there is room for, so that the last one is the footer. */
function fill(lines, rows, last) {
  const body = lines.slice(0, Math.max(0, rows - 1));
  while (body.length < rows - 1) body.push('');
  return [...body, last].slice(-rows);
}

/** The processes and columns in the order in which they are shown. */
function shownOf(history, view) {
  const { processes } = history.samples.at(-1);
  const known = knownColumns(processes);
  return { processes: sorted(processes, view), columns: known.length ? known : COLUMNS };
}

/**
 * @param {object} what
 * @param {{ samples: object[] }} what.history with one sample at least
 * @param {{ columns: number, rows: number }} what.size
 * @param {import('./view').View} what.view
 * @param {string} [what.trouble] why there is no newer sample
 * @param {(colour: string, text: string) => string} what.paint
 * @param {boolean} [what.plain] nothing but ASCII
 * @returns {string[]} one for each row
 */
function screen({ history, size, view, trouble, paint, plain = false }) {
  const width = Math.max(LEAST_WIDTH, size.columns);
  const { status } = history.samples.at(-1);
  const means = { paint, plain };
  const last = footer(view, width, means);
  if (view.page) return fill(pageLines(view.page, { ...size, columns: width }, paint), size.rows, last);
  const rates = totalRates(history);
  const shown = shownOf(history, view);
  const chosen = selectedOf(shown.processes, view);
  const dot = plain ? '|' : '·';
  const head = headline(status, (_colour, text) => text).replaceAll('·', dot);
  const condition = head.split(' ')[0];
  const lines = [
    trouble ? paint('red', cut(visible(trouble), width)) : paint(colourOf(condition), cut(head, width)),
    cut(`${amount(Math.round(rates.at(-1)))} requests a second ${spark(rates, Math.max(1, Math.min(SPARK_WIDTH, width - 30)), plain)}`, width),
    '',
    ...tableLines({ ...shown, view }, width, paint),
    '',
    ...(chosen ? detailLines(history, chosen, width, means) : []),
    '',
    ...deathLines(status, width, paint),
  ];
  return fill(lines, size.rows, last);
}

module.exports = { screen, shownOf };
