'use strict';

// What `start` was told, by its flags, the environment and package.json, as the process to spawn. The order and the names are those of
// egg-scripts. Pure but for finding the framework's folder, which the caller hands in.

const path = require('path');

const { CommandError } = require('./failures');
const { START } = require('./flags');
const { whole, time } = require('./values');

const START_LIMIT_MS = 300000;
const SCRIPT = path.join(__dirname, 'start-cluster.js');
const NODE_OPTION = 'node-options--';

function jsonOr(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The entries of eggScriptsConfig: flags of ours, flags of node, and options of startCluster. */
function readConfig({ require: modules, ...config }) {
  const flags = modules === undefined ? {} : { require: [].concat(modules) };
  const nodeFlags = {};
  const options = {};
  for (const [key, value] of Object.entries(config)) {
    if (key.startsWith(NODE_OPTION)) nodeFlags[key.slice(NODE_OPTION.length)] = value;
    else if (Object.hasOwn(START, key)) flags[key] = START[key].type === 'string' ? String(value) : Boolean(value);
    else options[key] = value;
  }
  return { flags, nodeFlags, options };
}

function givenOptions(list = []) {
  return Object.fromEntries(list.map(text => {
    const at = text.indexOf('=');
    if (at < 1) throw CommandError.usage(`--option must be name=value, got ${text}`);
    return [text.slice(0, at), jsonOr(text.slice(at + 1))];
  }));
}

function requireFlags(modules = [], baseDir) {
  return modules.flatMap(name => ['--require', name.startsWith(`.${path.sep}`) ? path.resolve(baseDir, name) : name]);
}

function nodeFlag([name, value]) {
  return value === true ? `--${name}` : `--${name}=${value}`;
}

function nodeArguments({ flags, given, config, pkg, baseDir }) {
  const named = new Set(given.map(flag => flag.split('=')[0]));
  const configured = Object.entries(config.nodeFlags).map(nodeFlag).filter(flag => !named.has(flag.split('=')[0]));
  const required = [...(flags.require ?? []), ...(config.flags.require ?? [])];
  return [
    ...requireFlags(required, baseDir),
    ...given, ...configured,
    ...(flags.sourcemap ?? pkg.egg?.typescript ? ['--enable-source-maps'] : []),
    ...[].concat(pkg.egg?.revert ?? []).map(revert => `--security-revert=${revert}`),
    '--no-deprecation', '--trace-warnings',
  ];
}

function environment(env, flags, baseDir) {
  return {
    ...env,
    NODE_ENV: 'production',
    PATH: [path.join(baseDir, 'node_modules', '.bin'), path.join(baseDir, '.node', 'bin'), env.PATH].filter(Boolean).join(path.delimiter),
    ...(flags.env && { EGG_SERVER_ENV: flags.env }),
  };
}

/** Where the pid file of a daemon lies unless it is told. */
function defaultPidFile(flags, baseDir, cwd) {
  if (flags.control) return path.resolve(cwd, flags.control).replace(/(\.sock)?$/, '.pid');
  return path.join(baseDir, 'run', 'clutch.pid');
}

function clusterOptions({ flags, config, framework, baseDir, cwd, title }) {
  const pidFile = flags['pid-file'] ? path.resolve(cwd, flags['pid-file']) : flags.daemon && defaultPidFile(flags, baseDir, cwd);
  return {
    ...config.options,
    title,
    ...(flags.workers && { workers: whole('--workers', flags.workers, { min: 0, max: 1024 }) }),
    ...(flags.port && { port: whole('--port', flags.port, { max: 65535 }) }),
    ...(flags.sticky && { sticky: true }),
    ...(flags.control && { control: path.resolve(cwd, flags.control) }),
    ...(pidFile && { pidFile }),
    ...givenOptions(flags.option),
    baseDir,
    framework,
  };
}

/**
 * @param {object} told
 * @param {Record<string, any>} told.flags of the command line
 * @param {string[]} told.nodeFlags
 * @param {object} told.pkg the app's package.json, or {}
 * @param {NodeJS.ProcessEnv} told.env
 * @param {string} told.baseDir absolute
 * @param {string} told.cwd
 * @param {(framework?: string) => string} told.findFramework
 * @returns {{ flags: object, node: string, args: string[], options: object, env: object,
 *   logs: { stdout: string, stderr: string }, timeoutMs: number }}
 */
function startOptions({ flags: given, nodeFlags, pkg, env, baseDir, cwd, findFramework }) {
  const config = readConfig(pkg.eggScriptsConfig ?? {});
  const flags = {
    ...config.flags,
    ...(env.EGG_WORKERS && { workers: env.EGG_WORKERS }),
    ...(env.PORT && { port: env.PORT }),
    ...(env.EGG_SERVER_ENV && { env: env.EGG_SERVER_ENV }),
    ...given,
  };
  const title = flags.title ?? `egg-server-${pkg.name ?? path.basename(baseDir)}`;
  const framework = findFramework(flags.framework);
  const options = clusterOptions({ flags, config, framework, baseDir, cwd, title });
  const dir = path.join(env.HOME ?? '/', 'logs');
  return {
    flags,
    options,
    node: flags.node ?? process.execPath,
    args: [
      ...nodeArguments({ flags: { ...flags, require: given.require }, given: nodeFlags, config, pkg, baseDir }),
      SCRIPT, JSON.stringify(options), `--title=${title}`,
    ],
    env: environment(env, flags, baseDir),
    logs: {
      stdout: path.resolve(cwd, flags.stdout ?? path.join(dir, 'master-stdout.log')),
      stderr: path.resolve(cwd, flags.stderr ?? path.join(dir, 'master-stderr.log')),
    },
    timeoutMs: time('--timeout', flags.timeout) ?? START_LIMIT_MS,
  };
}

module.exports = { startOptions };
