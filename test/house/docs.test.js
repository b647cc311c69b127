'use strict';
// What the documents say exists, exists.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const ROOT = path.join(__dirname, '..', '..');
const ARCHITECTURE = 'docs/ARCHITECTURE.md';
const DOCUMENTS = ['README.md', ...fs.readdirSync(path.join(ROOT, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)];
const TREES = ['src', 'test', '__test__'];

function read(file) {
  return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

function sources(folder) {
  return fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap(entry => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(file);
    return /\.(rs|js)$/.test(entry.name) ? [file] : [];
  });
}

function inBackticks(text) {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, inside]) => inside);
}

/** The rows of the tables in the section with this heading, as arrays of cells. */
function tableRows(text, heading) {
  const start = text.search(new RegExp(`^#+ .*\\b${heading}\\b`, 'm'));
  if (start < 0) return [];
  const rest = text.slice(text.indexOf('\n', start) + 1);
  const level = /^#+/.exec(text.slice(start))[0].length;
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return rest.slice(0, end < 0 ? undefined : end).split('\n')
    .filter(line => line.startsWith('|'))
    .map(line => line.split(/(?<!\\)\|/).slice(1, -1).map(cell => cell.trim()))
    // The heading of the table and the line under it.
    .slice(2);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

describe('the documents', () => {
  const manifest = JSON.parse(read('package.json'));

  for (const document of DOCUMENTS) {
    it(`${document} names only files and folders that exist`, () => {
      const named = inBackticks(read(document))
        .filter(text => /^(src|lib|test|__test__|scripts|examples|docs)\/[\w./-]*$/.test(text));
      const missing = named.filter(name => !fs.existsSync(path.join(ROOT, name)));
      assert.deepEqual(missing, []);
    });

    it(`${document} names only npm scripts that exist`, () => {
      const text = read(document);
      const named = [
        ...[...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name),
        ...[...text.matchAll(/npm (start|test)\b/g)].map(([, name]) => name),
      ];
      assert.deepEqual(named.filter(name => !manifest.scripts[name]), []);
    });
  }

  for (const [document, heading, cell] of [[ARCHITECTURE, 'Invariants', -1], ['docs/TESTING.md', 'Accidents', 1]]) {
    it(`each row of the table "${heading}" of ${document} names tests, and they exist`, () => {
      const rows = tableRows(read(document), heading);
      assert.notEqual(rows.length, 0, `a section "${heading}" with a table`);
      const code = TREES.flatMap(sources).map(read).join('\n');
      for (const row of rows) {
        const titles = inBackticks(row.at(cell)).filter(text => !text.startsWith('npm run '));
        assert.notEqual(titles.length, 0, `no test is named for: ${row[0]} ${row[1]}`);
        for (const title of titles) {
          const name = title.split('::').at(-1);
          const found = new RegExp(`fn ${escaped(name)}\\(|(it\\(|test\\(|death\\(|keptFromRunning\\(|accident: )(['"\`])${escaped(title)}\\2`).test(code);
          assert.ok(found, `no test is called '${title}'`);
        }
      }
    });
  }

  it('the README gives the two commands, and the fast lane calls the test command word for word', () => {
    const readme = read('README.md');
    assert.match(readme, /^npm ci && npm start$/m);
    assert.match(readme, /^npm ci && npm test$/m);
    assert.match(read('.ci/run'), /^npm ci$/m);
    assert.match(read('.ci/run'), /^npm run ready\b/m);
    assert.match(read('scripts/ready.js'), /'npm', \['test'\]/);
  });
});

describe('the repository', () => {
  it('has the generated binding committed', () => {
    const tracked = execFileSync('git', ['ls-files', 'binding.js', 'binding.d.ts'], { cwd: ROOT, encoding: 'utf8' });
    assert.equal(tracked, 'binding.d.ts\nbinding.js\n');
  });

  it('records no registry address in the lock file', () => {
    assert.doesNotMatch(read('package-lock.json'), /"resolved"/);
  });
});
