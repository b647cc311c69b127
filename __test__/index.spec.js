'use strict';

const fs = require('fs');
const path = require('path');

const clutch = require('..');
const { ROOT, tree, appDir, removeAll, runNode } = require('./support/app_dir');

afterAll(removeAll);

const NAMES = [
  'Agent', 'Application', 'ClusterAgentWorkerError', 'ClusterWorkerExceptionError', 'ClutchError', 'Master', 'messenger', 'parseOptions',
  'startCluster',
];

/** Runs `code`, in which `clutch` is this package; what it gives to `out` comes back. */
function inNode(code, { esm = false, ...options } = {}) {
  const load = esm ? `import * as clutch from ${JSON.stringify(path.join(ROOT, 'index.js'))};` : `const clutch = require(${JSON.stringify(ROOT)});`;
  const script = `${load} const out = value => process.stdout.write(JSON.stringify(value)); ${code}`;
  return runNode([...(esm ? ['--input-type=module'] : []), '-e', script], options);
}

function valueOf(code, options) {
  const { stdout, stderr, status } = inNode(code, options);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout);
}

describe('the exports', () => {
  test('are these and no others', () => {
    expect(Object.keys(clutch).sort()).toEqual(NAMES);
    // What is declared as a value must be one: whoever asks for `instanceof` compiles, and would find undefined.
    const declared = fs.readFileSync(path.join(__dirname, '..', 'index.d.ts'), 'utf8').matchAll(/^export (?:const|class|function) (\w+)/gm);
    expect([...declared].map(([, name]) => name).sort()).toEqual(NAMES);
    for (const name of NAMES) expect(clutch[name]).toBeDefined();
  });

  test('are seen by import, by name and by star', () => {
    const seen = valueOf("out(Object.keys(clutch).filter(name => name !== 'default' && name !== 'module.exports'))", { esm: true });
    expect(seen.sort()).toEqual(NAMES);
    const dir = tree({
      'again.mjs': `export * from ${JSON.stringify(path.join(ROOT, 'index.js'))};`,
      'main.mjs': `import { startCluster, messenger, Application } from './again.mjs';
        process.stdout.write([startCluster.constructor.name, typeof messenger.sendTo, typeof Application].join());`,
    });
    expect(runNode([path.join(dir, 'main.mjs')]).stdout).toBe('AsyncFunction,function,function');
  });

  test('are re-exported by compiled TypeScript, which reads them one by one', () => {
    expect(valueOf('const copy = {}; for (const name in clutch) copy[name] = typeof clutch[name]; out(copy)'))
      .toEqual(Object.fromEntries(NAMES.map(name => [name, name === 'messenger' ? 'object' : 'function'])));
  });

  test('cost nothing before they are used', () => {
    const loaded = 'Object.keys(require.cache).map(file => file.slice(root.length + 1)).sort()';
    const root = `const root = ${JSON.stringify(ROOT)};`;
    expect(valueOf(`${root} out(${loaded})`)).toEqual(['index.js', path.join('lib', 'cwd_at_load.js'), path.join('lib', 'errors.js')]);
    const withMessenger = valueOf(`${root} clutch.messenger; out(${loaded})`);
    expect(withMessenger).toContain(path.join('lib', 'messenger.js'));
    for (const file of withMessenger) expect(file).not.toMatch(/^lib.(master|options|cluster|ports|framework\W)[^/]*\.js$|binding/);
  });

  test('leave the process free to end', () => {
    // With a channel to a parent, because a listener on that channel would keep the process alive.
    const file = path.join(tree({ 'main.js': `require(${JSON.stringify(ROOT)}).messenger.on('x', () => {}); process.send('loaded');` }), 'main.js');
    const parent = `const child = require('child_process').fork(${JSON.stringify(file)});
      child.on('message', message => console.log(message)); child.on('exit', code => console.log('exit', code));`;
    expect(runNode(['-e', parent]).stdout).toBe('loaded\nexit 0\n');
  });
});

describe('startCluster', () => {
  test('is an async function by its constructor, as the tools of egg 4 want it', () => {
    expect(valueOf('out([clutch.startCluster.constructor.name, clutch.parseOptions.constructor.name])')).toEqual(['AsyncFunction', 'AsyncFunction']);
    expect(clutch.startCluster).toHaveLength(2);
  });

  test('works detached, and rejects instead of throwing', async () => {
    const { startCluster } = clutch;
    await expect(startCluster({ baseDir: appDir(), port: 'x' })).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION' });
  });

  test('refuses a callback that is none', async () => {
    await expect(clutch.startCluster({}, 'done')).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining('callback') });
  });

  test.each([
    ['without a package.json', { baseDir: '/no/such/dir' }, /AssertionError.*\/no\/such\/dir\/package\.json should exist/],
    ['with a bad port', { port: 'x' }, /ClutchError: options\.port must be .*ERR_CLUTCH_OPTION/s],
  ])('%s ends the process of a plain caller with code 1', (_, options, text) => {
    const { status, stderr, stdout } = inNode(`clutch.startCluster(${JSON.stringify(options)}); setInterval(() => {}, 1000);`);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(text);
  });

  test('a plain caller with a callback hears of it and ends with code 1 as well', () => {
    const { status, stdout, stderr } = inNode("clutch.startCluster({ port: 'x' }, error => console.log(error.code));");
    expect({ status, stdout }).toEqual({ status: 1, stdout: 'ERR_CLUTCH_OPTION\n' });
    expect(stderr).toContain('options.port must be');
  });

  test('may be tried again after an option was wrong', () => {
    expect(valueOf(`(async () => {
      const codes = [];
      for (const port of ['x', 'y']) await clutch.startCluster({ port }).catch(error => codes.push(error.code));
      out(codes);
    })()`)).toEqual(['ERR_CLUTCH_OPTION', 'ERR_CLUTCH_OPTION']);
  });

  test('reads environment and working directory when it is called', () => {
    const baseDir = appDir();
    expect(valueOf(`
      process.chdir(${JSON.stringify(baseDir)}); process.env.EGG_SERVER_ENV = 'wrapped';
      const parsed = clutch.parseOptions({ workers: 1 });
      process.env.EGG_SERVER_ENV = 'later';
      parsed.then(({ env, baseDir }) => out({ env, baseDir }));
    `)).toEqual({ env: 'wrapped', baseDir });
  });

  test('without the addon rejects with ERR_CLUTCH_PLATFORM, after the package was loaded without complaint', () => {
    const copy = tree({});
    for (const name of ['index.js', 'package.json', 'lib']) fs.cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
    const script = `require(${JSON.stringify(copy)}).startCluster({ baseDir: ${JSON.stringify(appDir())}, workers: 1 })
      .catch(error => process.stdout.write(error.code + ' ' + error.message))`;
    const { stdout, stderr } = runNode(['-e', script]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ERR_CLUTCH_PLATFORM .+$/);
  });
});

describe('messenger', () => {
  test('is the one of the master in any process that is no worker', () => {
    const { masterEndpoint } = require('../lib/master/endpoint');
    expect(clutch.messenger).toBe(masterEndpoint().messenger);
    expect(clutch.messenger).toBe(clutch.messenger);
  });

  test.each(['app', 'agent'].flatMap(role => [`lib/${role}_worker.js`, `dist/commonjs/${role}_worker.js`]))('is the one over the channel in %s', script => {
    const dir = tree({
      [script]: `const { messenger } = require(${JSON.stringify(ROOT)});
        process.send(messenger === require(${JSON.stringify(path.join(ROOT, 'lib/messenger.js'))}).processMessenger());`,
    });
    const parent = `const child = require('child_process').fork(${JSON.stringify(path.join(dir, script))}, ['{}']);
      child.on('message', message => console.log(message));`;
    expect(runNode(['-e', parent]).stdout).toBe('true\n');
  });
});

describe('the embedded framework', () => {
  test.each(['Application', 'Agent'])('gives %s', name => {
    expect(typeof clutch[name]).toBe('function');
    expect(clutch[name]).toBe(require('../lib/framework')[name]);
  });
});

test('Master is the class behind startCluster', () => {
  expect(clutch.Master).toBe(require('../lib/master').Master);
});

test('the errors of egg 4 and our own are those of lib/errors.js', () => {
  const errors = require('../lib/errors');
  for (const name of ['ClutchError', 'ClusterAgentWorkerError', 'ClusterWorkerExceptionError']) expect(clutch[name]).toBe(errors[name]);
});
