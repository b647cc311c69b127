'use strict';
// The three test runners, each reduced to how many tests passed and failed.

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { ROOT, run } = require('./tools');
const { verdict } = require('./results');

const CLUSTER_TESTS = 'test/**/*.test.js';
// So many files at a time: a test of processes mostly waits for them. More would only have them wait for each other on two cores.
const CLUSTER_JOBS = 2;
// Which unit tests the lanes for shared memory run.
const SWITCHBOARD = 'transport::switchboard';
// A runner that does not come to its end is a failure of its own, with a name; single tests have their own watchdog. Soaks take longer.
const RUNNER_TIMEOUT_MS = Number(process.env.RUNNER_MINUTES ?? 20) * 60 * 1000;
const CHAOS_TIMEOUT_MS = 6 * 60 * 60 * 1000;

function problemOf({ code, signal, timedOut }, failed) {
  if (timedOut) return `did not end within ${RUNNER_TIMEOUT_MS / 60000} minutes`;
  if (signal) return `was killed by ${signal}`;
  return code !== 0 && failed === 0 ? `ended with code ${code}` : undefined;
}

/** A run of cargo's tests, counted by the lines that its harness closes with. */
async function cargo(lane, args, env) {
  const ended = await run('cargo', args, { env, keep: true });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of ended.output.matchAll(/^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    counts.passed += Number(line[1]);
    counts.failed += Number(line[2]);
    counts.skipped += Number(line[3]);
  }
  return verdict(lane, { ...counts, problem: problemOf(ended, counts.failed) });
}

/** Unit tests and declared tests. */
function rust(extra = []) {
  return cargo('rust', ['test', '--locked', '--no-fail-fast', ...extra]);
}

// Each keeps what it built to itself: a build for the one is of no use to the other, or to anybody else.
function builtIn(folder) {
  return { CARGO_TARGET_DIR: path.join(ROOT, 'target', folder) };
}

/** Every order of events of the switchboard's atomics. Optimised, as there are many. */
function loom(extra = []) {
  const env = { ...builtIn('loom'), RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg cluster_loom` };
  return cargo('loom', ['test', '--locked', '--release', '--lib', ...(extra.length > 0 ? extra : [SWITCHBOARD])], env);
}

/** The switchboard over memory of the heap, in an interpreter that sees undefined behaviour and data races. */
function miri(extra = []) {
  const args = ['+nightly', 'miri', 'test', '--locked', '--lib', ...(extra.length > 0 ? extra : [SWITCHBOARD])];
  return cargo('miri', args, builtIn('miri'));
}

/** The machine that rustc builds for, by its name. */
function hostTarget() {
  return /^host: (\S+)/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
}

const FUZZ_SECONDS = 60;

/** Everything that is read from a peer, given bytes that nobody wrote: one pass of each target counts as a test. */
async function fuzz(extra = []) {
  const folder = path.join(ROOT, 'fuzz');
  const built = path.join(ROOT, 'target', 'fuzz');
  const all = fs.readdirSync(path.join(folder, 'fuzz_targets')).map(file => path.basename(file, '.rs'));
  const targets = extra.length > 0 ? extra : all;
  const build = await run('cargo', ['+nightly', 'fuzz', 'build', '--target-dir', built]);
  if (build.code !== 0) return verdict('fuzz', { problem: 'the targets cannot be built' });
  const seconds = Math.max(1, Math.round(Number(process.env.FUZZ_SECONDS ?? FUZZ_SECONDS) / targets.length));
  const counts = { passed: 0, failed: 0 };
  for (const target of targets) {
    // What it finds is kept beside the build, and what it fails on where cargo-fuzz looks for it.
    const found = path.join(built, 'corpus', target);
    const failures = path.join(folder, 'artifacts', target);
    for (const each of [found, failures]) fs.mkdirSync(each, { recursive: true });
    const args = [found, path.join(folder, 'seeds', target), `-max_total_time=${seconds}`, '-max_len=1024', '-print_final_stats=1',
      '-verbosity=0', `-artifact_prefix=${failures}${path.sep}`];
    const ended = await run(path.join(built, hostTarget(), 'release', target), args, { keepErrors: true });
    const executed = Number(/^stat::number_of_executed_units:\s+(\d+)/m.exec(ended.output)?.[1] ?? 0);
    const isGood = ended.code === 0 && executed > 0;
    counts[isGood ? 'passed' : 'failed'] += 1;
    process.stdout.write(`fuzz ${target}: ${executed} inputs, ${isGood ? 'none' : 'one'} of them went wrong\n`);
  }
  return verdict('fuzz', counts);
}

/** The switchboard with real threads, under the sanitizer that sees data races. */
function tsan(extra = []) {
  // The standard library is built for it, too: the sanitizer must see all synchronisation.
  const env = {
    ...builtIn('tsan'),
    RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} -Zsanitizer=thread`,
    TSAN_OPTIONS: 'halt_on_error=1',
    // Ten times slower, and what those look for is no race.
    PROPTEST_CASES: '32',
    CLUSTER_HOSTILE_SEEDS: '400',
  };
  const args = ['+nightly', 'test', '--locked', '-Zbuild-std', '--target', hostTarget(), '--lib', ...(extra.length > 0 ? extra : [SWITCHBOARD])];
  return cargo('tsan', args, env);
}

/** The node under test comes first in the PATH, so that everything a test starts by name is that node too. */
function environmentOf(nodePath) {
  return { PATH: `${path.dirname(nodePath)}${path.delimiter}${process.env.PATH}` };
}

/** Where a runner leaves what it counted. */
function reportFile(lane) {
  return path.join(ROOT, '.tmp', `${lane}.report.json`);
}

async function javascript(lane, nodePath, args, readCounts, { env, timeoutMs = RUNNER_TIMEOUT_MS } = {}) {
  const file = reportFile(lane);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  const ended = await run(nodePath, args(file), { env: { ...environmentOf(nodePath), ...env }, timeoutMs });
  const counts = fs.existsSync(file) ? readCounts(JSON.parse(fs.readFileSync(file, 'utf8'))) : {};
  return verdict(lane, { ...counts, problem: problemOf(ended, counts.failed ?? 0) });
}

/** The cluster as processes: mocha over test/. */
function cluster({ nodePath = process.execPath, lane = 'cluster', extra = [], ...settings } = {}) {
  const isAll = !extra.some(argument => argument.endsWith('.js'));
  const files = isAll ? [CLUSTER_TESTS, '--parallel', '--jobs', String(CLUSTER_JOBS)] : [];
  const args = file => [
    path.join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    '--reporter', path.join(__dirname, 'mocha_reporter.js'),
    '--reporter-option', `file=${file}`,
    ...files,
    ...extra,
  ];
  return javascript(lane, nodePath, args, counts => counts, settings);
}

/** The small test of `test/chaos` at its full size. */
function chaos(extra = []) {
  const { CHAOS_MESSAGES = '10000000', CHAOS_FAULTS = '300' } = process.env;
  const files = ['test/chaos/chaos.test.js', ...extra];
  return cluster({ lane: 'chaos', extra: files, env: { CHAOS_MESSAGES, CHAOS_FAULTS }, timeoutMs: CHAOS_TIMEOUT_MS });
}

/** The binding's contract in one process: Jest over __test__/. */
function binding({ nodePath = process.execPath, lane = 'binding', extra = [] } = {}) {
  const args = file => [
    path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--json', '--outputFile', file,
    ...extra,
  ];
  return javascript(lane, nodePath, args, report => ({
    passed: report.numPassedTests,
    // A spec that does not load counts no test, but it has failed.
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  }));
}

module.exports = { rust, loom, miri, tsan, fuzz, chaos, cluster, binding, reportFile };
