'use strict';

const { AssertionError } = require('assert');
const os = require('os');
const path = require('path');

const { parseOptions } = require('..');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

const { env, execArgv } = process;
let v2;
let v3;

beforeAll(() => {
  const files = { 'key.pem': 'key', 'cert.pem': 'cert', 'ca.pem': 'ca' };
  v2 = appDir({ files });
  v3 = appDir({ stock: '@eggjs/cluster', files });
});
afterAll(removeAll);

beforeEach(() => {
  process.env = { ...env, NODE_ENV: 'test' };
  delete process.env.EGG_SERVER_ENV;
  process.execArgv = [];
});
afterEach(() => {
  jest.restoreAllMocks();
  process.env = env;
  process.execArgv = execArgv;
});

const parse = options => parseOptions({ baseDir: v2, workers: 1, ...options });
const parse3 = options => parseOptions({ baseDir: v3, workers: 1, ...options });

async function optionError(options, ...parts) {
  const error = await refusal(parse(options));
  expect(error).toMatchObject({ name: 'ClutchError', code: 'ERR_CLUTCH_OPTION' });
  for (const part of parts) expect(error.message).toContain(part);
}

describe('the options object', () => {
  test('gets the defaults of egg-cluster', async () => {
    expect(await parse()).toEqual({
      baseDir: v2, framework: path.join(v2, 'node_modules/egg'), workers: 1, port: undefined, env: null, https: false, plugins: null,
      startMode: 'process', ports: [], reusePort: false,
    });
  });

  test('gets the defaults of @eggjs/cluster under a framework that is built on it', async () => {
    expect(await parse3()).toStrictEqual({
      baseDir: v3, framework: path.join(v3, 'node_modules/egg'), workers: 1, port: undefined, env: undefined, startMode: 'process',
    });
  });

  test('has its fields in the order of the package that it stands in for', async () => {
    const given = { title: 'my app', workers: 2, port: 7001 };
    expect(Object.keys(await parse(given))).toEqual([
      'framework', 'baseDir', 'port', 'reusePort', 'workers', 'plugins', 'https', 'startMode', 'ports', 'env', 'title',
    ]);
    expect(Object.keys(await parse3(given))).toEqual(['baseDir', 'port', 'startMode', 'env', 'workers', 'title', 'framework']);
  });

  test('keeps unknown fields as they are', async () => {
    expect(await parse({ foo: true, title: 'my app', nested: { a: [1] } })).toMatchObject({ foo: true, title: 'my app', nested: { a: [1] } });
  });

  test('keeps a field named __proto__ a field', async () => {
    const parsed = await parse(JSON.parse('{"__proto__": {"port": 1}}'));
    expect(Object.hasOwn(parsed, '__proto__')).toBe(true);
    expect(parsed.port).toBe(undefined);
  });

  test('takes null and undefined for "not given"', async () => {
    const parsed = await parse({ env: null, port: null, https: undefined, plugins: null, sticky: null, foo: null, framework: null });
    expect(parsed).toEqual(await parse());
    expect(parsed).not.toHaveProperty('foo');
  });

  test('is not changed', async () => {
    const given = Object.freeze({ baseDir: v2, port: '6001', require: 'x', workers: '1', https: Object.freeze({ key: path.join(v2, 'key.pem'), cert: path.join(v2, 'cert.pem') }) });
    await parseOptions(given);
    expect(given).toMatchObject({ port: '6001', require: 'x', workers: '1' });
  });

  test.each([['a string'], [5], [[]], [true]])('may not be %p', async given => {
    await expect(parseOptions(given)).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/^options must be an object, got /) });
  });

  test('has a JSON form, or the field without one is named', async () => {
    const cyclic = {};
    cyclic.self = cyclic;
    await optionError({ foo: cyclic }, 'options.foo', 'JSON');
    await optionError({ bar: 1n }, 'options.bar', 'JSON');
  });
});

describe('baseDir', () => {
  test('is the working directory by default', async () => {
    jest.spyOn(process, 'cwd').mockReturnValue(v2);
    expect((await parseOptions({ workers: 1 })).baseDir).toBe(v2);
    expect((await parseOptions(null)).baseDir).toBe(v2);
  });

  test('is made absolute', async () => {
    expect((await parse({ baseDir: path.relative(process.cwd(), v2) })).baseDir).toBe(v2);
  });

  test('has a package.json', async () => {
    const missing = path.join(v2, 'no-such-dir');
    const error = await parse({ baseDir: missing }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(`${path.join(missing, 'package.json')} should exist`);
  });
});

describe('port', () => {
  test.each([
    ['6001', 6001], [6001, 6001], [' 6001 ', 6001], ['007', 7], [65535, 65535],
    [0, undefined], ['0', undefined], [NaN, undefined], ['', undefined],
  ])('%p becomes %p', async (port, expected) => {
    expect((await parse({ port })).port).toBe(expected);
    expect((await parse3({ port })).port).toBe(expected);
  });

  test('is 8443 by default with https', async () => {
    const https = { key: path.join(v2, 'key.pem'), cert: path.join(v2, 'cert.pem') };
    expect((await parse({ https })).port).toBe(8443);
    expect((await parse3({ https, port: null })).port).toBe(8443);
    expect((await parse({ https, port: 443 })).port).toBe(443);
    expect((await parse({ https: false })).port).toBe(undefined);
  });

  test.each([['abc'], ['7001abc'], ['-1'], [-1], [65536], [70.5], [Infinity], [true], [[7001]], [{}], ['1e3'], ['0x50']])('may not be %p', async port => {
    await optionError({ port }, 'options.port must be a TCP port from 1 to 65535', 'got');
  });
});

describe('debugPort', () => {
  test('is parsed like port', async () => {
    expect((await parse({ debugPort: '7002' })).debugPort).toBe(7002);
    expect((await parse({ debugPort: 0 })).debugPort).toBe(undefined);
    expect(await parse()).not.toHaveProperty('debugPort');
    await optionError({ debugPort: 'x' }, "options.debugPort must be a TCP port from 1 to 65535 (or 0 for none), got 'x'");
  });

  test('differs from port', async () => {
    await optionError({ port: 7001, debugPort: '7001' }, 'options.debugPort', 'another port than options.port');
  });
});

describe('workers', () => {
  test.each([['2', 2], [2, 2], [1024, 1024]])('%p becomes %p', async (workers, expected) => {
    expect((await parse({ workers })).workers).toBe(expected);
  });

  test.each([[0], ['0'], [NaN], [null], [undefined], ['']])('%p stands for the number of CPUs', async workers => {
    const { workers: count } = await parse({ workers });
    expect(count).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(os.cpus().length);
  });

  test('the CPUs are not counted where the number is given', async () => {
    const refuse = () => { throw new Error('asked for the CPUs'); };
    jest.spyOn(os, 'cpus').mockImplementation(refuse);
    jest.spyOn(os, 'availableParallelism').mockImplementation(refuse);
    expect((await parse({ workers: 2 })).workers).toBe(2);
    await expect(parse({ workers: 0 })).rejects.toThrow('asked for the CPUs');
  });

  test.each([['abc'], [-1], [1.5], [1025], [Infinity], [{}], ['2x']])('may not be %p', async workers => {
    await optionError({ workers }, 'options.workers must be a whole number from 1 to 1024', 'got');
  });
});

describe('env', () => {
  test('is EGG_SERVER_ENV by default', async () => {
    process.env.EGG_SERVER_ENV = 'prod';
    expect((await parse()).env).toBe('prod');
    expect((await parse3()).env).toBe('prod');
  });

  test('wins over EGG_SERVER_ENV', async () => {
    process.env.EGG_SERVER_ENV = 'prod';
    expect((await parse({ env: 'local' })).env).toBe('local');
    expect((await parse3({ env: 'local' })).env).toBe('local');
  });

  test('an empty one counts as none', async () => {
    process.env.EGG_SERVER_ENV = '';
    expect((await parse({ env: '' })).env).toBe(null);
    expect((await parse3({ env: '' })).env).toBe(undefined);
  });
});

describe('https', () => {
  const at = (dir, fields) => ({ key: path.join(dir, 'key.pem'), cert: path.join(dir, 'cert.pem'), ...fields });

  test('keeps extra fields', async () => {
    const https = at(v2, { ca: path.join(v2, 'ca.pem'), passphrase: 'secret', foo: 1 });
    expect((await parse({ https })).https).toEqual(https);
  });

  test.each([['key'], ['cert'], ['ca']])('%s must exist, in the words of egg-cluster', async name => {
    const https = at(v2, { [name]: path.join(v2, 'missing.pem') });
    const error = await parse({ https }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(`options.https.${name} should exists`);
  });

  test.each([['key'], ['cert']])('%s must be given, in the words of both packages', async name => {
    for (const [run, dir] of [[parse, v2], [parse3, v3]]) {
      const error = await run({ https: at(dir, { [name]: undefined }) }).catch(thrown => thrown);
      expect(error).toBeInstanceOf(AssertionError);
      expect(error.message).toBe(`options.https.${name} should exists`);
    }
  });

  test.each([['key'], ['cert'], ['ca']])('%s must exist, in the words of @eggjs/cluster', async name => {
    const error = await parse3({ https: at(v3, { [name]: path.join(v3, 'missing.pem') }) }).catch(thrown => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error.message).toBe(`options.https.${name} file should exists`);
  });

  test('contents are taken unread under @eggjs/cluster only', async () => {
    const https = { key: Buffer.from('key'), cert: Buffer.from('cert'), ca: [Buffer.from('ca')] };
    expect((await parse3({ https })).https).toBe(https);
    await expect(parse({ https })).rejects.toThrow('options.https.key should exists');
  });

  test.each([
    ['egg-cluster', () => v2], ['@eggjs/cluster', () => v3],
  ])('true takes key and cert beside it and prints the deprecation of %s', async (stock, dir) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const { key, cert } = at(dir());
    const parsed = await parseOptions({ baseDir: dir(), workers: 1, https: true, key, cert });
    expect(parsed.https).toEqual({ key, cert });
    expect(parsed.port).toBe(8443);
    expect(warn.mock.calls).toEqual([[`[${stock}:deprecated] [master] Please use \`https: { key, cert, ca }\` instead of \`https: true\``]]);
  });

  test.each([['yes'], [1], [[]]])('may not be %p', async https => {
    await optionError({ https }, 'options.https must be false or an object');
  });
});

describe('require', () => {
  test('a string becomes a list', async () => {
    expect((await parse({ require: './a.js' })).require).toEqual(['./a.js']);
    expect((await parse({ require: ['a', 'b'] })).require).toEqual(['a', 'b']);
    expect(await parse()).not.toHaveProperty('require');
  });

  test.each([[5], [[5]], [['']], [{}]])('may not be %p', async value => {
    await optionError({ require: value }, 'options.require must be a module, or an array of modules');
  });
});

describe('isDebug', () => {
  test.each(['--inspect', '--inspect=9000', '--inspect-brk', '--debug'])('is set by %s of the master', async flag => {
    process.execArgv = ['--no-warnings', flag];
    expect((await parse({ isDebug: false })).isDebug).toBe(true);
  });

  test('is absent otherwise, or what was given', async () => {
    expect(await parse()).not.toHaveProperty('isDebug');
    expect((await parse({ isDebug: true })).isDebug).toBe(true);
  });
});

describe('reusePort', () => {
  test('is false by default under egg-cluster, and what was given', async () => {
    expect((await parse()).reusePort).toBe(false);
    expect((await parse({ reusePort: true })).reusePort).toBe(true);
    expect((await parse({ reusePort: null })).reusePort).toBe(false);
    expect((await parse3({ reusePort: true })).reusePort).toBe(true);
  });

  test('balance is one of three, and not the kernel where the address decides', async () => {
    for (const balance of ['least-busy', 'round-robin', 'kernel']) expect(await parse({ balance })).toMatchObject({ balance });
    for (const balance of ['random', true, 1]) await optionError({ balance }, 'options.balance', "'least-busy', 'round-robin' or 'kernel'");
    await optionError({ balance: 'kernel', sticky: true }, 'options.balance', 'options.sticky');
  });

  test('is refused together with sticky', async () => {
    await optionError({ reusePort: true, sticky: true }, 'options.reusePort', 'options.sticky');
    for (const balance of ['least-busy', 'round-robin']) await optionError({ reusePort: true, balance }, 'options.balance', 'options.reusePort');
    expect(await parse({ reusePort: true, balance: 'kernel' })).toMatchObject({ reusePort: true, balance: 'kernel' });
    expect(await parse({ reusePort: false, sticky: true })).toMatchObject({ reusePort: false, sticky: true });
  });
});

describe('NO_DEPRECATION', () => {
  test('is set for NODE_ENV=production and for nothing else', async () => {
    delete process.env.NO_DEPRECATION;
    await parse({ env: 'prod' });
    expect(process.env.NO_DEPRECATION).toBe(undefined);
    process.env.NODE_ENV = 'production';
    await parse();
    expect(process.env.NO_DEPRECATION).toBe('*');
  });
});

test.each([
  ['baseDir', 5, 'a string'], ['framework', {}, 'a string'], ['customEgg', [], 'a string'], ['env', 1, 'a string'], ['pidFile', true, 'a string'],
  ['plugins', 'x', 'an object'], ['plugins', [], 'an object'], ['isDebug', 'yes', 'true or false'],
  ['reusePort', 'yes', 'true or false'], ['reusePort', 1, 'true or false'],
])('%s may not be %p', async (name, value, allowed) => {
  await optionError({ [name]: value }, `options.${name} must be ${allowed}, got`);
});

test('a long value is shown in short', async () => {
  const error = await parse({ port: 'x'.repeat(10_000) }).catch(thrown => thrown);
  expect(error.message.length).toBeLessThan(300);
});
