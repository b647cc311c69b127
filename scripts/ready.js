'use strict';
// `npm run ready`: the fast lane, the same for a developer and for CI. Stops at the first step that fails.

const { run } = require('./tools');

const STEPS = [
  ['format', 'cargo', ['fmt', '--check']],
  ['format of the fuzz targets', 'cargo', ['fmt', '--check', '--manifest-path', 'fuzz/Cargo.toml']],
  ['eslint', 'npm', ['run', '--silent', 'lint']],
  ['typos', 'typos', []],
  ['licences', 'cargo-deny', ['--locked', 'check', 'bans', 'licenses', 'sources']],
  ['clippy', 'cargo', ['clippy', '--locked', '--all-targets', '--', '-D', 'warnings']],
  // The lane itself takes minutes, and what it does not compile is seen by nothing else.
  ['tests as loom and miri build them', 'cargo', ['check', '--locked', '--lib', '--tests', '--target-dir', 'target/loom-check'],
    { RUSTFLAGS: '--cfg cluster_loom' }],
  ['docs', 'cargo', ['doc', '--locked', '--no-deps', '--document-private-items'], { RUSTDOCFLAGS: '-D warnings' }],
  ['layering', 'cargo', ['test', '--locked', '--test', 'layering']],
  ['build', 'npm', ['run', 'build']],
  ['generated files', 'git', ['diff', '--exit-code', '--', 'binding.js', 'binding.d.ts']],
  // Word for word the command of the README.
  ['tests', 'npm', ['test']],
  ['fuzz', 'npm', ['run', '--silent', 'test:fuzz']],
  // What the tests have just asked, as a table; fails where a line has no answer.
  ['contract', 'node', ['scripts/contract.js', '--last']],
];

async function main() {
  for (const [name, command, args, env] of STEPS) {
    process.stdout.write(`\n--- ${name}: ${command} ${args.join(' ')}\n`);
    const began = Date.now();
    const { code } = await run(command, args, { env });
    if (code !== 0) {
      process.stderr.write(`egg-clutch: ${name} failed\n`);
      return 1;
    }
    process.stdout.write(`--- ${name}: ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
  }
  return 0;
}

main().then(code => {
  process.exitCode = code;
});
