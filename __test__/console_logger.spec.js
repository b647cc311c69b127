'use strict';

const os = require('os');
const path = require('path');
const vm = require('vm');
const { ConsoleLogger } = require('../lib/worker/console_logger');
const { ROOT, runNode } = require('./support/app_dir');

const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) (\d+) ([^]*)\n$/;
const ENVIRONMENT = ['EGG_LOG', 'NODE_ENV', 'NODE_CONSOLE_LOGGRE_LEVEL', 'EGG_FRAMEWORK_ERR_FAQ_PERFIX'];
const FAQ = 'https://eggjs.org/zh-cn/faq';

let saved;

beforeEach(() => {
  saved = Object.fromEntries(ENVIRONMENT.map(name => [name, process.env[name]]));
  for (const name of ENVIRONMENT) delete process.env[name];
});

afterEach(() => {
  for (const [name, value] of Object.entries(saved)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function recorder(options) {
  const out = [];
  const err = [];
  const sink = list => ({ write: text => list.push(text) });
  return { out, err, logger: new ConsoleLogger({ ...options, stdout: sink(out), stderr: sink(err) }) };
}

/** The text behind the prefix of the one line that an error makes. */
function textOf(error) {
  const { logger, err } = recorder();
  logger.error(error);
  return LINE.exec(err[0])[3];
}

describe('lines', () => {
  test('start with local time, level and pid', () => {
    const { logger, out } = recorder({ level: 'INFO' });
    const before = new Date();
    logger.info('hello %s %j %d', 'you', { a: 1 }, 7, 'more');
    const [, level, pid, text] = LINE.exec(out[0]);
    expect([level, pid, text]).toEqual(['INFO', String(process.pid), 'hello you {"a":1} 7 more']);
    const [, year, month, day, hour, minute, second, ms] = /^(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+),(\d+)/.exec(out[0]).map(Number);
    const written = new Date(year, month - 1, day, hour, minute, second, ms);
    expect(written.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(written.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test('of level ERROR go to stderr, all others to stdout', () => {
    const { logger, out, err } = recorder({ level: 'DEBUG' });
    for (const method of ['debug', 'info', 'warn', 'error']) logger[method](method);
    expect(out.map(line => LINE.exec(line)[1])).toEqual(['DEBUG', 'INFO', 'WARN']);
    expect(err.map(line => LINE.exec(line)[1])).toEqual(['ERROR']);
  });
});

describe('the descriptors', () => {
  const LOGGER = JSON.stringify(path.join(ROOT, 'lib', 'worker', 'console_logger'));
  const MUCH = 4 * 1024 * 1024;

  // More than a pipe holds: what a stream would keep in its queue is lost with process.exit().
  test('have the whole line before the call returns', () => {
    const script = `
      const { ConsoleLogger } = require(${LOGGER});
      const logger = new ConsoleLogger({ level: 'INFO' });
      logger.info('i'.repeat(${MUCH}));
      logger.error('e'.repeat(${MUCH}));
      process.exit();`;
    const { stdout, stderr } = runNode(['-e', script], { maxBuffer: 4 * MUCH });
    expect(stdout.endsWith(`${'i'.repeat(MUCH)}\n`)).toBe(true);
    expect(stderr.endsWith(`${'e'.repeat(MUCH)}\n`)).toBe(true);
  });

  test('get a line behind what the process has written before', () => {
    const script = `
      const { ConsoleLogger } = require(${LOGGER});
      process.stdout.write('a'.repeat(${MUCH}) + '\\n');
      new ConsoleLogger({ level: 'INFO' }).info('behind');`;
    const { stdout } = runNode(['-e', script], { maxBuffer: 4 * MUCH });
    expect(stdout.slice(0, MUCH + 1)).toBe(`${'a'.repeat(MUCH)}\n`);
    expect(stdout.slice(MUCH + 1)).toMatch(/^\S+ \S+ INFO \d+ behind\n$/);
  });

  test('may be closed', () => {
    const script = `
      const { ConsoleLogger } = require(${LOGGER});
      require('fs').closeSync(1);
      const logger = new ConsoleLogger({ level: 'INFO' });
      logger.info('nobody reads this');
      logger.error('still here');`;
    const { status, stderr } = runNode(['-e', script]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^\S+ \S+ ERROR \d+ still here\n$/);
  });
});

describe('levels', () => {
  function heard(options) {
    const { logger, out, err } = recorder(options);
    for (const method of ['debug', 'info', 'warn', 'error']) logger[method]('x');
    return [...out, ...err].map(line => LINE.exec(line)[1]).join(' ');
  }

  test.each([
    [{}, undefined, 'WARN ERROR'],
    [{ NODE_ENV: 'production' }, undefined, 'INFO WARN ERROR'],
    [{}, 'info', 'INFO WARN ERROR'],
    [{}, 'DEBUG', 'DEBUG INFO WARN ERROR'],
    [{}, 'NONE', ''],
    [{ NODE_ENV: 'production' }, 'ERROR', 'ERROR'],
    [{ EGG_LOG: 'DEBUG' }, 'ERROR', 'DEBUG INFO WARN ERROR'],
    [{ NODE_CONSOLE_LOGGRE_LEVEL: 'ERROR', NODE_ENV: 'production' }, undefined, 'ERROR'],
    [{}, 'no such level', 'WARN ERROR'],
  ])('in %j with level %s: %s', (env, level, expected) => {
    Object.assign(process.env, env);
    expect(heard({ level })).toBe(expected);
  });

  test('can be changed later, and an unknown one changes nothing', () => {
    const { logger, out } = recorder({ level: 'WARN' });
    logger.info('unheard');
    logger.level = 'info';
    logger.level = undefined;
    logger.info('heard');
    expect(out).toHaveLength(1);
  });
});

describe('errors', () => {
  test('print name, message, stack, own properties, pid and hostname', () => {
    const error = Object.assign(new TypeError('wrong'), { count: { agent: 0, worker: 1 }, code: 'E_X', skipped: undefined });
    const stack = error.stack.split('\n').slice(1).join('\n');
    expect(textOf(error)).toBe(`nodejs.TypeError: wrong\n${stack}\ncount: {"agent":0,"worker":1}\ncode: "E_X"\nskipped: undefined\n`
      + `pid: ${process.pid}\nhostname: ${os.hostname()}\n`);
  });

  test('an own name is the name', () => {
    const error = Object.assign(new Error('[master] app_worker#1:7 died'), { name: 'AppWorkerDiedError' });
    expect(textOf(error)).toMatch(/^nodejs\.AppWorkerDiedError: \[master\] app_worker#1:7 died\n/);
    expect(textOf(error)).toContain('\nname: "AppWorkerDiedError"\n');
  });

  test('a plain Error takes its code into the name, and the host goes behind the message', () => {
    const error = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', host: 'db.test' });
    expect(textOf(error)).toMatch(/^nodejs\.ECONNREFUSEDError: refused \(db\.test\)\n/);
  });

  test('of another realm are errors too', () => {
    expect(textOf(vm.runInNewContext('new RangeError("far")'))).toMatch(/^nodejs\.RangeError: far\n/);
  });

  test('causes and aggregated errors follow', () => {
    const text = textOf(new AggregateError([new Error('one'), new TypeError('two')], 'both', { cause: new Error('root') }));
    expect(text).toMatch(/\[error-0\]:\n\nnodejs\.Error: one\n/);
    expect(text).toMatch(/\[error-1\]:\n\nnodejs\.TypeError: two\n/);
    expect(text).toMatch(/cause:\n\nnodejs\.Error: root\n/);
    expect(textOf(new Error('x', { cause: 'a text' }))).toMatch(/cause:\n\na text\n/);
  });

  test('a chain of causes that goes on is cut', () => {
    const error = new Error('loop');
    Object.defineProperty(error, 'cause', { value: error });
    expect(textOf(error)).toContain('too long cause chain');
  });

  test.each([
    ['a cycle', () => { const a = {}; a.self = a; return a; }, 'extra: {"self":"[Circular]"}'],
    ['a shared object', () => { const a = { q: 1 }; return { x: a, y: a }; }, 'extra: {"x":{"q":1},"y":{"q":1}}'],
    ['a BigInt', () => 10n, 'extra: 10'],
    ['a regular expression', () => ({ re: /x/g }), 'extra: {"re":"/x/g"}'],
    ['bytes', () => Buffer.from([1, 255]), 'extra: "<Buffer 01 ff>"'],
    ['many bytes', () => Buffer.alloc(60, 1), `extra: "<Buffer ${'01 '.repeat(50)}...(60) >"`],
    ['a long text', () => 'y'.repeat(10020), `extra: "${'y'.repeat(10000)}...(10020)"`],
    ['a toJSON that throws', () => ({ toJSON() { throw new Error('no'); } }), 'extra: [object Object]'],
  ])('%s among the properties prints', (name, make, expected) => {
    expect(textOf(Object.assign(new Error('e'), { extra: make() }))).toContain(`\n${expected}\n`);
  });

  test('without name, message and stack still print', () => {
    const error = new Error('');
    error.name = '';
    error.stack = '';
    expect(textOf(error)).toMatch(/^nodejs\.no_name: no_message\nno_stack\n/);
  });
});

describe('framework errors', () => {
  function customError(message = 'mock error') {
    const error = new Error(message);
    error.name = 'CustomError';
    Object.assign(error, { code: 'customPlugin_00', serialNumber: '00', errorContext: { foo: 1 } });
    error[Symbol.for('FrameworkBaseError')] = true;
    return error;
  }

  test('carry the link to the FAQ', () => {
    const error = customError();
    const stack = error.stack.split('\n').slice(1).join('\n');
    expect(textOf(error)).toBe(`framework.CustomError: mock error [ ${FAQ}/customPlugin_00 ]\n${stack}\n`
      + `code: customPlugin_00\nserialNumber: 00\nerrorContext: {"foo":1}\npid: ${process.pid}\nhostname: ${os.hostname()}\n`);
  });

  test('do not get the link twice', () => {
    const link = `[ ${FAQ}/customPlugin_00 ]`;
    expect(textOf(customError(`mock error ${link}`)).split(link)).toHaveLength(2);
  });

  test('get the link that the environment names', () => {
    process.env.EGG_FRAMEWORK_ERR_FAQ_PERFIX = 'https://help.test';
    expect(textOf(customError())).toContain('mock error [ https://help.test/customPlugin_00 ]');
  });
});

test('lines are JSON objects once that is asked for', () => {
  const script = `
    const { ConsoleLogger } = require('./lib/worker/console_logger');
    ConsoleLogger.writeJson({ role: 'app', worker: 3 });
    const logger = new ConsoleLogger({ level: 'INFO' });
    logger.info('two\\nlines of %s', 'text');
    logger.debug('not this');
    logger.error(Object.assign(new TypeError('boom'), { code: 'E_BOOM' }));`;
  const { stdout, stderr, pid } = runNode(['-e', script]);
  const { time, ...said } = JSON.parse(stdout);
  expect(said).toEqual({ level: 'info', pid, role: 'app', worker: 3, message: 'two\nlines of text' });
  expect(new Date(time).toISOString()).toBe(time);
  expect(JSON.parse(stderr)).toMatchObject({
    level: 'error', pid, message: 'boom', errorName: 'TypeError', code: 'E_BOOM', stack: expect.stringMatching(/^TypeError: boom\n +at /),
  });
});
