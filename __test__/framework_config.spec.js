'use strict';

const { Application, Agent } = require('../lib/framework');
const { tree, removeAll } = require('./support/app_dir');

const saved = { EGG_SERVER_ENV: process.env.EGG_SERVER_ENV, NODE_ENV: process.env.NODE_ENV };
const apps = [];

function start(files, options = {}) {
  const app = new Application({ baseDir: tree(files), ...options });
  apps.push(app);
  return app;
}

afterEach(async () => {
  for (const [name, value] of Object.entries(saved)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await Promise.all(apps.splice(0).map(app => app.close()));
});

afterAll(removeAll);

describe('config', () => {
  test('has defaults where the app has none', () => {
    const { config } = start({});
    expect(config.cluster.listen.port).toBe(7001);
    expect(config.workerStartTimeout).toBe(600000);
  });

  test('is merged key by key, the one of the env last', () => {
    const { config } = start({
      'config/config.default.js': 'exports.cluster = { listen: { port: 1 } }; exports.list = [1, 2]; exports.a = { x: 1, y: 1, z: 1 };',
      'config/config.prod.js': 'exports.a = { y: 2, z: undefined }; exports.list = [3];',
      'config/config.other.js': 'exports.a = { x: "not this one" };',
    }, { env: 'prod' });
    expect(config.cluster.listen).toEqual({ path: '', port: 1, hostname: '' });
    expect(config.a).toEqual({ x: 1, y: 2, z: 1 });
    expect(config.list).toEqual([3]);
  });

  test('may be a function of appInfo', () => {
    const app = start({
      'package.json': { name: 'some-app', version: '1.2.3' },
      'config/config.default.js': 'module.exports = info => ({ info: { name: info.name, env: info.env, v: info.pkg.version, dir: info.baseDir } });',
    }, { env: 'pre' });
    expect(app.config.info).toEqual({ name: 'some-app', env: 'pre', v: '1.2.3', dir: app.baseDir });
    expect(app.name).toBe('some-app');
  });

  test.each([
    ['a number', 'module.exports = 5;', 'number'],
    ['a function that returns nothing', 'module.exports = () => {};', 'undefined'],
    ['a function that returns a promise', 'module.exports = async () => ({});', 'object'],
  ])('refuses %s and names the file', (name, code, type) => {
    expect(() => start({ 'config/config.default.js': code }))
      .toThrow(new RegExp(`config\\.default\\.js must export an object or a function that returns one, got ${type}$`));
  });

  test('refuses a start time-out that is no number', () => {
    expect(() => start({ 'config/config.default.js': 'exports.workerStartTimeout = "soon";' }))
      .toThrow('config.workerStartTimeout must be a number of milliseconds, got soon');
  });

  test('is not shared between two apps', () => {
    const first = start({});
    first.config.cluster.listen.port = 1;
    expect(start({}).config.cluster.listen.port).toBe(7001);
  });

  test('of one serves the agent as well', async () => {
    const agent = new Agent({ baseDir: tree({ 'config/config.default.js': 'exports.x = 1;' }) });
    expect(agent.config.x).toBe(1);
    await agent.close();
  });
});

describe('env', () => {
  test.each([
    [{ env: 'a' }, 'b', 'production', 'a'],
    [{}, 'b', 'production', 'b'],
    [{}, '', 'production', 'prod'],
    [{}, '', 'test', 'unittest'],
    [{}, '', 'development', 'local'],
    [{}, '', '', 'local'],
  ])('from option %j, EGG_SERVER_ENV %j and NODE_ENV %j is %s', (options, serverEnv, nodeEnv, expected) => {
    process.env.EGG_SERVER_ENV = serverEnv;
    process.env.NODE_ENV = nodeEnv;
    expect(start({}, options).env).toBe(expected);
  });
});

describe('the log level', () => {
  test('comes from config.logger.level', () => {
    const app = start({ 'config/config.default.js': 'exports.logger = { level: "ERROR" };' });
    expect(app.logger.level).toBe(3);
    expect(app.coreLogger).toBe(app.logger);
  });
});
