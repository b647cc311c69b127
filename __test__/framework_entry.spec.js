'use strict';

const path = require('path');
const { resolveEntry, loadFramework, isEsmFile } = require('../lib/framework_entry');
const { tree, removeAll, runNode } = require('./support/app_dir');

const CJS = 'exports.Application = class {};\nexports.Agent = class {};\n';
const ESM = 'export class Application {}\nexport class Agent {}\n';
const DUAL = {
  'package.json': {
    type: 'module',
    main: './dist/commonjs/index.js',
    exports: {
      '.': {
        import: { types: './dist/esm/index.d.ts', default: './dist/esm/index.js' },
        require: { types: './dist/commonjs/index.d.ts', default: './dist/commonjs/index.js' },
      },
      './package.json': './package.json',
    },
  },
  'dist/esm/index.js': ESM,
  'dist/commonjs/index.js': CJS,
  'dist/commonjs/package.json': { type: 'commonjs' },
};

afterAll(removeAll);

describe('the entry of a framework', () => {
  const cases = [
    ['main', { 'package.json': { main: 'lib/main.js' }, 'lib/main.js': CJS }, 'lib/main.js', false],
    ['main without extension', { 'package.json': { main: 'lib/main' }, 'lib/main.js': CJS }, 'lib/main.js', false],
    ['main that is a folder', { 'package.json': { main: 'lib' }, 'lib/index.js': CJS }, 'lib/index.js', false],
    ['index.js', { 'package.json': {}, 'index.js': CJS }, 'index.js', false],
    ['a folder without package.json', { 'index.js': CJS }, 'index.js', false],
    ['a main that does not exist', { 'package.json': { main: 'gone.js' }, 'index.js': CJS }, 'index.js', false],
    ['type module', { 'package.json': { type: 'module' }, 'index.js': ESM }, 'index.js', true],
    ['type module with an old main', { 'package.json': { type: 'module', main: 'a.cjs' }, 'a.cjs': CJS }, 'a.cjs', false],
    ['index.mjs alone', { 'package.json': {}, 'index.mjs': ESM }, 'index.mjs', true],
    ['exports as text', { 'package.json': { exports: './x.mjs' }, 'x.mjs': ESM }, 'x.mjs', true],
    ['exports for import only', { 'package.json': { exports: { import: './x.mjs' } }, 'x.mjs': ESM }, 'x.mjs', true],
    ['exports as list', { 'package.json': { exports: [{ import: './x.mjs' }, './y.cjs'] }, 'x.mjs': ESM }, 'x.mjs', true],
    ['exports whose first condition is foreign',
      { 'package.json': { exports: { '.': { browser: './b.js', default: './x.cjs' } } }, 'x.cjs': CJS, 'b.js': '' }, 'x.cjs', false],
    ['TypeScript alone', { 'package.json': { type: 'module' }, 'index.ts': ESM }, 'index.ts', true],
    ['TypeScript of a package under development',
      { 'package.json': { type: 'module', tshy: { exports: { '.': './src/index.ts' } } }, 'src/index.ts': ESM }, 'src/index.ts', true],
    ['both kinds', DUAL, 'dist/esm/index.js', true],
  ];

  test.each(cases)('%s', (name, files, expected, esm) => {
    const dir = tree(files);
    expect(resolveEntry(dir)).toEqual({ file: path.join(dir, expected), esm });
  });

  test('of both kinds is the one of the app that uses it', () => {
    const dir = tree(DUAL);
    const plain = tree({ 'package.json': { name: 'a' } });
    const modules = tree({ 'package.json': { name: 'a', type: 'module' } });
    expect(resolveEntry(dir, plain)).toEqual({ file: path.join(dir, 'dist/commonjs/index.js'), esm: false });
    expect(resolveEntry(dir, modules)).toEqual({ file: path.join(dir, 'dist/esm/index.js'), esm: true });
  });

  test('that is an ES module stays one for a CommonJS app', () => {
    const dir = tree({ 'package.json': { type: 'module' }, 'index.js': ESM });
    expect(resolveEntry(dir, tree({ 'package.json': {} }))).toEqual({ file: path.join(dir, 'index.js'), esm: true });
  });

  test('may be named as a file', () => {
    const dir = tree({ 'package.json': { type: 'module' }, 'a.js': ESM, 'b.cjs': CJS });
    expect(resolveEntry(path.join(dir, 'a.js'))).toEqual({ file: path.join(dir, 'a.js'), esm: true });
    expect(resolveEntry(path.join(dir, 'b.cjs'))).toEqual({ file: path.join(dir, 'b.cjs'), esm: false });
  });

  test('that does not exist is an error that names the folder', () => {
    const dir = tree({ 'package.json': {} });
    expect(() => resolveEntry(dir)).toThrow(expect.objectContaining({ message: `${dir} has no main module`, code: 'MODULE_NOT_FOUND' }));
  });

  test('with a package.json that is no JSON is an error that names the file', () => {
    const dir = tree({ 'package.json': '{', 'index.js': CJS });
    expect(() => resolveEntry(dir)).toThrow(`${path.join(dir, 'package.json')} is not readable as JSON`);
  });
});

describe('the kind of a file', () => {
  test('comes from the extension, else from the nearest package.json, not beyond node_modules', () => {
    const dir = tree({
      'package.json': { type: 'module' },
      'a.js': '', 'b.mjs': '', 'c.cjs': '', 'd.mts': '', 'e.cts': '', 'f.json': '{}', 'g.ts': '',
      'old/package.json': {}, 'old/a.js': '',
      'node_modules/x.js': '',
    });
    const kinds = ['a.js', 'b.mjs', 'c.cjs', 'd.mts', 'e.cts', 'f.json', 'g.ts', 'old/a.js', 'node_modules/x.js'];
    expect(kinds.filter(name => isEsmFile(path.join(dir, name)))).toEqual(['a.js', 'b.mjs', 'd.mts', 'g.ts']);
  });
});

describe('loading', () => {
  test('a CommonJS framework gives its exports', async () => {
    const framework = await loadFramework(tree({ 'package.json': {}, 'index.js': CJS }));
    expect([typeof framework.Application, typeof framework.Agent]).toEqual(['function', 'function']);
  });

  test('a compiled one gives what is under default', async () => {
    const code = 'exports.__esModule = true;\nexports.default = { Application: class {}, Agent: class {} };';
    const framework = await loadFramework(tree({ 'index.js': code }));
    expect(typeof framework.Application).toBe('function');
  });

  test('one without the classes gives what there is', async () => {
    expect(await loadFramework(tree({ 'index.js': 'exports.other = 1;' }))).toEqual({ other: 1 });
  });

  test('one that throws rejects with its error', async () => {
    await expect(loadFramework(tree({ 'index.js': 'throw new Error("broken framework");' }))).rejects.toThrow('broken framework');
  });

  test('an ES module gives its namespace, a CommonJS default under import too', () => {
    const modules = tree({ 'package.json': { type: 'module' }, 'index.js': ESM });
    const wrapped = tree({ 'package.json': {}, 'index.mjs': 'export default { Application: class {}, Agent: class {} };' });
    const script = `
      const { loadFramework } = require('./lib/framework_entry');
      Promise.all(${JSON.stringify([modules, wrapped])}.map(dir => loadFramework(dir))).then(all => {
        console.log(all.map(one => typeof one.Application + ' ' + typeof one.Agent).join());
      });`;
    const { stdout, stderr } = runNode(['-e', script]);
    expect([stdout, stderr]).toEqual(['function function,function function\n', '']);
  });
});
