'use strict';

// What the processes of a cluster print: egg's log lines and those of the fork library.

const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;

/** RegExp of a whole log line of the master; `text` is a RegExp's source, after `[master] `. */
function logged(cluster, text, { level = 'INFO' } = {}) {
  return new RegExp(String.raw`^${TIME},\d{3} ${level} ${cluster.pid} \[master\] ${text}$`, 'm');
}

/** A whole log line of the master at the start. A second cluster of ours in one folder is warned that it has no control socket. */
function startLine(cluster) {
  return logged(cluster, '.*', { level: '(?:INFO|WARN)' });
}

/** A whole log line of the worker `pid`, or of any; `text` is a RegExp's source. */
function workerLogged(text, { level = 'INFO', pid = String.raw`\d+` } = {}) {
  return new RegExp(String.raw`^${TIME},\d{3} ${level} ${pid} ${text}$`, 'm');
}

/** The same as logged() of an error, with its fields; the stack of a master that is no JavaScript is empty. */
function loggedError(cluster, name, text) {
  return new RegExp(String.raw`^${TIME},\d{3} ERROR ${cluster.pid} nodejs\.${name}: \[master\] ${text}\n`
    + String.raw`(?: +at .*\n)*(?:\w+: .*\n)*name: "${name}"\n(?:\w+: .*\n)*pid: ${cluster.pid}\nhostname: .+\n\n`, 'm');
}

/** RegExp of a whole line of the fork library. */
function forkLine(cluster, text) {
  return new RegExp(String.raw`^\[${TIME}\.\d{3}\] \[cfork:master:${cluster.pid}\] ${text}$`, 'm');
}

/** What stands in the lines of the fork library of version 3 only. */
function forkExtras(subject, reforks) {
  return subject.version === 3 ? { slave: ', isSlave: false, slaveIndex: ', count: `, reforkCount: ${reforks}` } : { slave: '', count: '' };
}

/** The time, in milliseconds, of the first log line that matches `pattern`. */
function timeOf(text, pattern) {
  const line = text.split('\n').find(line => pattern.test(line));
  return Date.parse(line.slice(0, 23).replace(',', '.'));
}

module.exports = { startLine, logged, workerLogged, loggedError, forkLine, forkExtras, timeOf };
