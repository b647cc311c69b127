'use strict';
// Makes src/control/page.html, the live page in one file, out of its parts. With --check it only says whether the file is what they make.

const fs = require('node:fs');
const path = require('node:path');
const { createHash } = require('node:crypto');

const ROOT = path.join(__dirname, '..');
const PARTS = 'src/control/page';
const TARGET = 'src/control/page.html';
// What the page says in figures is said as the command line says it.
const SCRIPTS = [
  'lib/cli/units.js', 'lib/cli/facts.js', 'lib/cli/top/history.js',
  `${PARTS}/happenings.js`, `${PARTS}/picture.js`, `${PARTS}/draw.js`, `${PARTS}/main.js`,
];

function read(file) {
  return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

/** What ties a part to others stays outside: in the page all of them share one scope. */
function withoutTies(text) {
  return text
    .replace(/^'use strict';\n+/, '')
    .replace(/^const \{[^}]*\} = require\([^)]*\);\n/gm, '')
    .replace(/^module\.exports = \{[^}]*\};\n/m, '')
    .trim();
}

/** Content-Security-Policy Level 2: what lies inside of the page runs because it is what it was made as. */
function hashOf(text) {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function makePage() {
  const style = `\n${read(`${PARTS}/style.css`)}`;
  const script = `\n(() => {\n'use strict';\n\n${SCRIPTS.map(file => withoutTies(read(file))).join('\n\n')}\n})();\n`;
  const policy = [
    "default-src 'none'", `style-src ${hashOf(style)}`, `script-src ${hashOf(script)}`, "connect-src 'self'", 'img-src data:', "base-uri 'none'", "form-action 'none'",
  ].join('; ');
  const values = { policy, style, script };
  return read(`${PARTS}/page.html`).replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
}

function main() {
  const made = makePage();
  const target = path.join(ROOT, TARGET);
  if (process.argv[2] !== '--check') return fs.writeFileSync(target, made);
  if (fs.existsSync(target) && fs.readFileSync(target, 'utf8') === made) return undefined;
  process.stderr.write(`${TARGET} is not what its parts make: run \`npm run page\`\n`);
  process.exitCode = 1;
  return undefined;
}

if (require.main === module) main();

module.exports = { makePage };
