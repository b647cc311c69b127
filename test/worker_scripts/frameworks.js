'use strict';
// Folders for the worker scripts: apps on the embedded framework, and tiny frameworks that do what a test needs.

const path = require('node:path');
const { tree, removeAll } = require('../../__test__/support/app_dir');

const ROOT = path.join(__dirname, '..', '..');

/** Options for an app on the embedded framework. Its port is any free one unless the files say otherwise. */
function embedded(files, options = {}) {
  const baseDir = tree({
    'package.json': { name: 'some-app' },
    'config/config.default.js': 'exports.cluster = { listen: { port: 0 } };',
    ...files,
  });
  return { baseDir, framework: ROOT, ...options };
}

// What egg's Application looks like to the worker script, with the code of a test in its constructor.
function frameworkCode(body, exportAs) {
  return `${body.imports ?? ''}
    class Base extends EventEmitter {
      constructor(options) {
        super();
        this.options = this._options = options;
        this.config = { cluster: { listen: { port: 0 } } };
        this.ready = fn => setImmediate(fn, this.startError);
        ${body.construct ?? ''}
      }
      callback() { return (req, res) => { ${body.answer ?? "res.end('served')"}; }; }
      async close() { ${body.close ?? ''} }
    }
    ${exportAs}`;
}

/**
 * Options for an app on a framework of its own.
 * @param {object} body `imports`, `construct`, `answer`, `close`: code
 * @param {object} kind `flavour` 2 or 3, and whether it is an ES module
 */
function custom(body, { flavour = 2, esm = false, files = {}, ...options } = {}) {
  const code = esm
    ? frameworkCode({ ...body, imports: `import { EventEmitter } from 'events';\n${body.imports ?? ''}` },
      'export class Application extends Base {}\nexport class Agent extends Base {}')
    : frameworkCode({ ...body, imports: `const { EventEmitter } = require('events');\n${body.imports ?? ''}` },
      'exports.Application = exports.Agent = Base;');
  const dependencies = { [flavour === 3 ? '@eggjs/cluster' : 'egg-cluster']: '*' };
  const baseDir = tree({
    'package.json': { name: 'some-app' },
    'framework/package.json': { name: 'some-framework', version: '1.0.0', dependencies, ...(esm && { type: 'module' }) },
    'framework/index.js': code,
    ...files,
  });
  return { baseDir, framework: path.join(baseDir, 'framework'), ...options };
}

module.exports = { ROOT, embedded, custom, tree, removeAll };
