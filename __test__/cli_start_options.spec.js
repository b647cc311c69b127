'use strict';

const { startOptions } = require('../lib/cli/start_options');

const BASE = '/srv/shop';
const FRAMEWORK = '/srv/shop/node_modules/egg';

function plan(flags = {}, { pkg = { name: 'shop' }, env = { HOME: '/home/u', PATH: '/bin' }, nodeFlags = [] } = {}) {
  return startOptions({ flags, nodeFlags, pkg, env, baseDir: BASE, cwd: '/srv', findFramework: () => FRAMEWORK });
}

const nodeArgs = ({ args }) => args.slice(0, args.findIndex(argument => argument.endsWith('start-cluster.js')));

test('the master gets its options as JSON and its title, as egg-scripts hands them on', () => {
  const { args, options, node, env, logs, timeoutMs } = plan({ port: '7001', workers: '4' });
  expect(options).toEqual({ title: 'egg-server-shop', workers: 4, port: 7001, baseDir: BASE, framework: FRAMEWORK });
  expect(args.slice(-3)).toEqual([expect.stringMatching(/start-cluster\.js$/), JSON.stringify(options), '--title=egg-server-shop']);
  expect(nodeArgs({ args })).toEqual(['--no-deprecation', '--trace-warnings']);
  expect(node).toBe(process.execPath);
  expect(env).toEqual({ HOME: '/home/u', NODE_ENV: 'production', PATH: '/srv/shop/node_modules/.bin:/srv/shop/.node/bin:/bin' });
  expect(logs).toEqual({ stdout: '/home/u/logs/master-stdout.log', stderr: '/home/u/logs/master-stderr.log' });
  expect(timeoutMs).toBe(300000);
});

test('a flag wins over the environment, and that over package.json', () => {
  const pkg = { name: 'shop', eggScriptsConfig: { workers: 1, port: 1, title: 'from-package' } };
  const env = { HOME: '/h', EGG_WORKERS: '2', PORT: '2', EGG_SERVER_ENV: 'pre' };
  const { options, env: given } = plan({ workers: '3' }, { pkg, env });
  expect(options).toMatchObject({ workers: 3, port: 2, title: 'from-package' });
  expect(given.EGG_SERVER_ENV).toBe('pre');
  expect(plan({ env: 'prod' }, { pkg, env }).env.EGG_SERVER_ENV).toBe('prod');
});

test('package.json may name modules, flags of node, flags of ours and options', () => {
  const pkg = {
    name: 'shop',
    egg: { typescript: true, revert: ['CVE-1'] },
    eggScriptsConfig: {
      'require': ['./trace.js', 'hook'], 'node-options--max-old-space-size': 99, 'node-options--expose-gc': true, 'ignore-stderr': true, 'https': true,
    },
  };
  const { args, options, flags } = plan({ require: ['/abs.js'] }, { pkg, nodeFlags: ['--max-old-space-size=50', '--inspect'] });
  expect(nodeArgs({ args })).toEqual([
    '--require', '/abs.js', '--require', '/srv/shop/trace.js', '--require', 'hook', '--max-old-space-size=50', '--inspect', '--expose-gc',
    '--enable-source-maps', '--security-revert=CVE-1', '--no-deprecation', '--trace-warnings',
  ]);
  expect(options.https).toBe(true);
  expect(flags['ignore-stderr']).toBe(true);
});

test('any option of startCluster can be given, as JSON or as a text', () => {
  expect(plan({ option: ['spare=1', 'balance=kernel', 'recycle={"age":"1h"}'] }).options)
    .toMatchObject({ spare: 1, balance: 'kernel', recycle: { age: '1h' } });
});

test('a daemon writes a pid file beside its socket; paths are those of the shell', () => {
  expect(plan({ daemon: true }).options.pidFile).toBe('/srv/shop/run/clutch.pid');
  expect(plan({ daemon: true, control: 'run/a.sock' }).options).toMatchObject({ control: '/srv/run/a.sock', pidFile: '/srv/run/a.pid' });
  expect(plan({ 'pid-file': 'x.pid' }).options.pidFile).toBe('/srv/x.pid');
  expect(plan().options).not.toHaveProperty('pidFile');
});

test.each([
  [{ workers: 'many' }, '--workers must be a whole number from 0 to 1024, got many'],
  [{ port: '70000' }, '--port must be a whole number from 1 to 65535, got 70000'],
  [{ option: ['spare'] }, '--option must be name=value, got spare'],
])('%p is wrong usage', (flags, message) => {
  expect(() => plan(flags)).toThrow(expect.objectContaining({ message, exitCode: 2 }));
});
