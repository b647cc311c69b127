'use strict';

const { AssertionError } = require('assert');
const fs = require('fs');
const path = require('path');

const { parseOptions } = require('..');
const { flavour } = require('../lib/flavour');
const { findFramework } = require('../lib/framework_path');
const { ROOT, FRAMEWORK, tree, packageFiles, appDir, removeAll, runNode } = require('./support/app_dir');

afterAll(removeAll);
afterEach(() => jest.restoreAllMocks());

const pkg = (fields = {}) => ({ 'package.json': { name: 'app', ...fields } });
const frameworkOf = async options => (await parseOptions({ workers: 1, ...options })).framework;

describe('the folder of the framework', () => {
  test('an absolute path is taken as it is', async () => {
    const baseDir = tree({ ...pkg(), ...packageFiles('own/framework') });
    const framework = path.join(baseDir, 'own/framework');
    expect(await frameworkOf({ baseDir, framework })).toBe(framework);
  });

  test('an absolute path must exist', async () => {
    const baseDir = tree(pkg());
    const framework = path.join(baseDir, 'nowhere');
    const error = await parseOptions({ baseDir, framework }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(`${framework} should exist`);
  });

  test('a name is looked for in the app first, then in the working directory', async () => {
    const cwd = tree(packageFiles('node_modules/shared'));
    const both = tree({ ...pkg(), ...packageFiles('node_modules/shared') });
    const none = tree(pkg());
    jest.spyOn(process, 'cwd').mockReturnValue(cwd);
    expect(await frameworkOf({ baseDir: both, framework: 'shared' })).toBe(path.join(both, 'node_modules/shared'));
    expect(await frameworkOf({ baseDir: none, framework: 'shared' })).toBe(path.join(cwd, 'node_modules/shared'));
  });

  test('a name found through a link stays the path of the link', async () => {
    const baseDir = tree({ ...pkg(), ...packageFiles('store/linked'), 'node_modules/x/package.json': {} });
    fs.symlinkSync(path.join(baseDir, 'store/linked'), path.join(baseDir, 'node_modules/linked'));
    expect(await frameworkOf({ baseDir, framework: 'linked' })).toBe(path.join(baseDir, 'node_modules/linked'));
  });

  test('a name is looked for upwards from the working directory last', async () => {
    const repo = tree({ ...packageFiles('node_modules/@scope/up'), 'packages/app/package.json': { name: 'app' } });
    jest.spyOn(process, 'cwd').mockReturnValue(path.join(repo, 'packages'));
    expect(await frameworkOf({ baseDir: path.join(repo, 'packages/app'), framework: '@scope/up' }))
      .toBe(path.join(repo, 'node_modules/@scope/up'));
  });

  test('a name that is nowhere is told with the places', async () => {
    const baseDir = tree(pkg());
    await expect(parseOptions({ baseDir, framework: 'not-there' })).rejects.toThrow(new Error(
      `not-there is not found in ${[path.join(baseDir, 'node_modules'), path.join(process.cwd(), 'node_modules')].join(',')}`));
  });

  test('customEgg counts where framework is absent', async () => {
    const baseDir = tree({ ...pkg(), ...packageFiles('node_modules/a'), ...packageFiles('node_modules/b') });
    expect(await frameworkOf({ baseDir, customEgg: 'a' })).toBe(path.join(baseDir, 'node_modules/a'));
    expect(await frameworkOf({ baseDir, customEgg: 'a', framework: 'b' })).toBe(path.join(baseDir, 'node_modules/b'));
  });

  test("the app's package.json names it where the options do not", async () => {
    const baseDir = tree({ ...pkg({ egg: { framework: 'mine' } }), ...packageFiles('node_modules/mine'), ...packageFiles('node_modules/egg') });
    expect(await frameworkOf({ baseDir })).toBe(path.join(baseDir, 'node_modules/mine'));
  });

  test('a framework that the package.json names in vain is not replaced by another one', async () => {
    const baseDir = tree({ ...pkg({ egg: { framework: 'mine' } }), 'app.js': '' });
    await expect(parseOptions({ baseDir })).rejects.toThrow('mine is not found in ');
  });

  test('it is egg where nobody names one', async () => {
    const baseDir = appDir();
    expect(await frameworkOf({ baseDir })).toBe(path.join(baseDir, 'node_modules/egg'));
  });

  test('a broken package.json is told by its name', async () => {
    const baseDir = tree({ 'package.json': '{ nonsense' });
    await expect(parseOptions({ baseDir })).rejects.toMatchObject({
      code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining(path.join(baseDir, 'package.json')),
    });
    const number = tree(pkg({ egg: { framework: 5 } }));
    await expect(parseOptions({ baseDir: number })).rejects.toMatchObject({
      code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining('egg.framework'),
    });
  });
});

describe('the embedded framework', () => {
  test.each(['app.js', 'agent.js', 'app.mjs', 'agent.cjs'])('serves a folder with %s where no egg is installed', file => {
    const baseDir = tree({ [file]: '' });
    expect(findFramework(baseDir)).toBe(ROOT);
    expect(findFramework(tree({ ...pkg(), [file]: '' }))).toBe(ROOT);
  });

  test('gives way to an egg', () => {
    const baseDir = appDir({ files: { 'app.js': '' } });
    expect(findFramework(baseDir)).toBe(path.join(baseDir, 'node_modules/egg'));
  });

  test('can be named, and then needs no package.json either', () => {
    expect(findFramework(tree({ 'app.js': '' }), ROOT)).toBe(ROOT);
  });

  test('does not take a folder without app.js and agent.js', () => {
    expect(() => findFramework(tree(pkg()))).toThrow('egg is not found in ');
    const empty = tree({ 'other.js': '' });
    expect(() => findFramework(empty)).toThrow(new AssertionError({ message: `${path.join(empty, 'package.json')} should exist` }));
  });

  test('can be loaded', async () => {
    const parsed = await parseOptions({ baseDir: tree({ 'app.js': '' }), workers: 1 });
    expect(parsed.framework).toBe(ROOT);
  });
});

describe('the module of the framework', () => {
  test.each(['Application', 'Agent'])('must define %s', async name => {
    const baseDir = tree({ ...pkg(), ...packageFiles('node_modules/egg', {}, FRAMEWORK.replaceAll(`exports.${name}`, 'exports.Other')) });
    const error = await parseOptions({ baseDir }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(`should define ${name} in ${path.join(baseDir, 'node_modules/egg')}`);
  });

  test('that throws is told with its error as the cause', async () => {
    const baseDir = tree({ ...pkg(), ...packageFiles('node_modules/egg', {}, "throw new Error('no licence');") });
    await expect(parseOptions({ baseDir })).rejects.toMatchObject({
      code: 'ERR_CLUTCH_OPTION',
      message: expect.stringMatching(/^options\.framework: .*egg could not be loaded: no licence/),
      cause: expect.objectContaining({ message: 'no licence' }),
    });
  });

  const ESM = 'export class Application {}\nexport class Agent {}\nawait 0;\n';
  test.each([
    ['"type": "module"', { type: 'module', main: './index.js' }, { 'index.js': ESM }],
    ['an "import" condition', { exports: { '.': { import: { types: './x.d.ts', default: './esm.mjs' } } } }, { 'esm.mjs': ESM, 'x.d.ts': '' }],
    ['"exports" as a string', { type: 'module', exports: './main.js' }, { 'main.js': ESM }],
  ])('may be an ES module by %s', (_, fields, files) => {
    const dir = 'node_modules/egg';
    const baseDir = tree({
      ...pkg({ type: 'module' }),
      ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`${dir}/${name}`, text])),
      [`${dir}/package.json`]: { name: 'egg', version: '1.0.0', ...fields },
    });
    const script = `require(${JSON.stringify(ROOT)}).parseOptions({ baseDir: ${JSON.stringify(baseDir)}, workers: 1 })
      .then(({ framework }) => process.stdout.write(framework))`;
    const { stdout, stderr } = runNode(['-e', script]);
    expect(stderr).toBe('');
    expect(stdout).toBe(path.join(baseDir, dir));
  });
});

describe('flavour', () => {
  const at = (...parts) => path.join('/srv/app/node_modules', ...parts);

  test('follows the name this package is installed under', () => {
    const egg3 = path.join(appDir(), 'node_modules/egg');
    const egg4 = path.join(appDir({ stock: '@eggjs/cluster' }), 'node_modules/egg');
    expect(flavour(egg3, at('@eggjs/cluster'))).toBe(3);
    expect(flavour(egg4, at('egg-cluster'))).toBe(2);
  });

  test('follows the framework under its own name', () => {
    const egg3 = path.join(appDir(), 'node_modules/egg');
    const egg4 = path.join(appDir({ stock: '@eggjs/cluster' }), 'node_modules/egg');
    expect(flavour(egg3, at('egg-clutch'))).toBe(2);
    expect(flavour(egg4, at('egg-clutch'))).toBe(3);
    expect(flavour(egg4, '/home/me/egg-clutch')).toBe(3);
  });

  test('follows the egg that a framework is built on', () => {
    const baseDir = appDir({ stock: '@eggjs/cluster', files: packageFiles('node_modules/mine', { dependencies: { egg: '^4' } }) });
    expect(flavour(path.join(baseDir, 'node_modules/mine'), at('egg-clutch'))).toBe(3);
  });

  test('is 2 where nothing tells', () => {
    expect(flavour('/nowhere', at('egg-clutch'))).toBe(2);
    expect(flavour(tree({ 'package.json': 'nonsense' }), at('egg-clutch'))).toBe(2);
    expect(flavour(ROOT)).toBe(2);
  });

  test('does not run for ever over packages that need each other', () => {
    const dir = tree({ ...packageFiles('node_modules/egg', { dependencies: { egg: '*' } }) });
    expect(flavour(path.join(dir, 'node_modules/egg'), at('egg-clutch'))).toBe(2);
  });
});
