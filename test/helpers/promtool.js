'use strict';
// What Prometheus' own tool says of metrics, where it is installed.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('./run_folder');
const { systemTool } = require('./system_tool');

let made = 0;

/** Metrics in the text format, parsed and held against the rules for names and units. */
function checkText(text) {
  const tried = systemTool('promtool', ['check', 'metrics'], { input: text });
  if (tried) assert.deepEqual(tried, { status: 0, output: '' }, text);
}

/** Metrics in OpenMetrics, parsed by Prometheus' parser of it, which wants a time behind each number in a file. */
function checkOpenMetrics(text) {
  const file = path.join(runFolder(), `open_metrics-${made += 1}.txt`);
  fs.writeFileSync(file, text.replace(/^[^#\n].*$/gm, '$& 1700000000'));
  const tried = systemTool('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, `${file}.blocks`]);
  if (tried) assert.equal(tried.status, 0, `${tried.output}\n${text}`);
}

module.exports = { checkText, checkOpenMetrics };
