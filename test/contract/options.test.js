'use strict';

// What becomes of the options: asked of the layer's own parser, so nothing is started.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('../helpers/run_folder');
const { scenario } = require('./contract');

const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const KEY = path.join(TLS, 'localhost.key.pem');
const CERT = path.join(TLS, 'localhost.cert.pem');

const folder = (...parts) => path.join(runFolder(), 'options', ...parts);
const modules = (app, name = '') => folder(app, 'node_modules', name);

function layFramework(dir) {
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ name: path.basename(dir), version: '1.0.0' }));
  fs.writeFileSync(path.join(dir, 'index.js'), 'exports.Application = class {};\nexports.Agent = class {};\n');
}

function layApp(name, pkg = {}) {
  fs.mkdirSync(folder(name), { recursive: true });
  fs.writeFileSync(folder(name, 'package.json'), JSON.stringify(pkg));
}

let laid = false;

/** Apps with frameworks in all the places where one is looked for; `start` is where the process starts, `now` where it goes. */
function layFolders() {
  if (laid) return;
  laid = true;
  layApp('app');
  layApp('naming', { egg: { framework: 'by-name' } });
  fs.mkdirSync(folder('nowhere'), { recursive: true });
  for (const dir of [
    modules('app', 'egg'), modules('app', 'twice'), modules('naming', 'by-name'),
    modules('now', 'twice'), modules('start', 'of-the-start'), modules('start', 'of-both'), folder('real'), modules('', 'above'),
  ]) layFramework(dir);
  for (const name of ['of-now', 'of-both']) fs.symlinkSync(folder('real'), modules('now', name));
}

/** Where egg-cluster's resolver looks last is where it lies itself; that of @eggjs/cluster looks above the working directory. */
async function lastPlace(subject) {
  if (subject.version === 3) return modules('', 'above');
  const { baseDir } = await subject.lay();
  const dir = path.join(baseDir, 'node_modules', 'beside-the-resolver');
  layFramework(dir);
  return dir;
}

const baseDir = folder('app');
const https = fields => ({ options: { baseDir, https: fields } });

const QUESTIONS = {
  'no baseDir': { options: {}, cwd: folder('app') },
  'no package.json': { options: { baseDir: folder('nowhere') } },
  'no package.json in the working directory': { options: {}, cwd: folder('nowhere') },

  'framework by path': { options: { baseDir, framework: folder('real') }, cwd: folder('now') },
  'customEgg': { options: { baseDir, customEgg: folder('real') } },
  'framework and customEgg': { options: { baseDir, framework: folder('real'), customEgg: modules('app', 'twice') } },
  'framework that is not there': { options: { baseDir, framework: folder('no', 'framework') } },
  'framework of the app and of the directory': { options: { baseDir, framework: 'twice' } },
  'framework of the directory': { options: { baseDir, framework: 'of-now' } },
  'framework of the directory and of the start': { options: { baseDir, framework: 'of-both' } },
  'framework of the start': { options: { baseDir, framework: 'of-the-start' } },
  'framework of package.json': { options: { baseDir: folder('naming') } },
  'framework before package.json': { options: { baseDir: folder('naming'), framework: 'of-now' } },
  'no framework': { options: { baseDir } },
  'unknown framework': { options: { baseDir, framework: 'no-such-framework' } },

  'nothing else': { options: { baseDir } },
  'null': { options: { baseDir, port: null, workers: null, require: null } },
  'texts': { options: { baseDir, port: '6001', workers: '3', require: 'one' } },
  'zeros': { options: { baseDir, port: 0, workers: 0 } },
  'port NaN': { options: { baseDir }, notANumber: 'port' },
  'list': { options: { baseDir, require: ['one', 'two'], plugins: { watcher: { enable: true } }, foo: { bar: [1] } } },
  'workers without CPUs': { options: { baseDir, workers: '4' }, noCpus: true },

  'env': { options: { baseDir, env: 'of-options' }, env: { EGG_SERVER_ENV: 'of-environment' } },
  'env of the environment': { options: { baseDir }, env: { EGG_SERVER_ENV: 'of-environment' } },
  'production': { options: { baseDir }, env: { NODE_ENV: 'production', NO_DEPRECATION: null } },
  'no production': { options: { baseDir, env: 'prod' }, env: { NODE_ENV: 'test', NO_DEPRECATION: null } },

  'https': https({ key: KEY, cert: CERT, ca: CERT, passphrase: 'secret', extra: 1 }),
  'https and port': { options: { baseDir, port: 6001, https: { key: KEY, cert: CERT } } },
  'https without key': https({ cert: CERT }),
  'https without cert': https({ key: KEY }),
  'https with a missing key': https({ key: '/no/key', cert: CERT }),
  'https with a missing cert': https({ key: KEY, cert: '/no/cert' }),
  'https with a missing ca': https({ key: KEY, cert: CERT, ca: '/no/ca' }),
  'https with bytes': https({ key: { bytes: 1 }, cert: { bytes: 2 }, ca: { bytes: 3 } }),

  'one CPU': { options: { baseDir }, oneCpu: true },
};

const assertion = message => ({ name: 'AssertionError', message });

scenario('options that are parsed', {
  async start(subject) {
    layFolders();
    const last = await lastPlace(subject);
    const answers = await subject.parse({
      ...QUESTIONS, 'framework in the last place': { options: { baseDir, framework: path.basename(last) }, cwd: folder('now') },
    }, { cwd: folder('start') });
    const option = (name, field) => {
      assert.ok(answers[name].options, `${name}: ${answers[name].error?.message}`);
      return answers[name].options[field];
    };
    return { last, answers, option, error: name => answers[name].error };
  },
}, line => {
  line('2.1', ({ option, error }) => {
    assert.equal(option('no baseDir', 'baseDir'), folder('app'));
    for (const name of ['no package.json', 'no package.json in the working directory']) {
      assert.deepEqual(error(name), assertion(`${folder('nowhere', 'package.json')} should exist`));
    }
  });

  line('2.2', ({ last, option, error }) => {
    const framework = name => option(`framework ${name}`, 'framework');
    assert.equal(framework('by path'), folder('real'));
    assert.equal(option('customEgg', 'framework'), folder('real'));
    assert.equal(framework('and customEgg'), folder('real'));
    assert.equal(framework('of the app and of the directory'), modules('app', 'twice'));
    assert.equal(framework('of the directory'), modules('now', 'of-now'));
    assert.equal(framework('of the directory and of the start'), modules('now', 'of-both'));
    assert.equal(framework('of the start'), modules('start', 'of-the-start'));
    assert.equal(framework('of package.json'), modules('naming', 'by-name'));
    assert.equal(framework('before package.json'), modules('now', 'of-now'));
    assert.equal(framework('in the last place'), last);
    assert.equal(option('no framework', 'framework'), modules('app', 'egg'));
    assert.deepEqual(error('framework that is not there'), assertion(`${folder('no', 'framework')} should exist`));
    const places = ['app', 'now', 'start'].map(name => folder(name, 'node_modules'));
    assert.equal(error('unknown framework').message, `no-such-framework is not found in ${places.join(',')}`);
  });

  line('2.4', ({ option }) => {
    assert.equal(option('texts', 'port'), 6001);
    for (const name of ['zeros', 'null', 'port NaN', 'nothing else']) assert.ok(!option(name, 'port'), name);
  });

  line('2.5', ({ option, answers }) => {
    assert.equal(option('texts', 'workers'), 3);
    assert.equal(option('workers without CPUs', 'workers'), 4);
    // With a quota of the container there may be fewer than CPUs, which another test plays.
    for (const name of ['nothing else', 'null', 'zeros']) {
      const workers = option(name, 'workers');
      assert.ok(workers >= 1 && workers <= answers[name].cpus, `${name}: ${workers}`);
    }
    assert.equal(option('one CPU', 'workers'), 1);
  }, {
    stock: ({ option, answers }) => {
      assert.equal(option('texts', 'workers'), 3);
      assert.equal(option('workers without CPUs', 'workers'), 4);
      for (const name of ['nothing else', 'null', 'zeros', 'one CPU']) assert.equal(option(name, 'workers'), answers[name].cpus, name);
    },
  });

  line('2.6', ({ option }, { version }) => {
    assert.equal(option('env', 'env'), 'of-options');
    assert.equal(option('env of the environment', 'env'), 'of-environment');
    assert.equal(option('nothing else', 'env'), version === 3 ? undefined : null);
  });

  line('2.7', ({ option, error }, { version }) => {
    assert.deepEqual(option('https', 'https'), { key: KEY, cert: CERT, ca: CERT, passphrase: 'secret', extra: 1 });
    const absent = field => assertion(`options.https.${field} should exists`);
    const missing = field => (version === 3 ? assertion(`options.https.${field} file should exists`) : absent(field));
    assert.deepEqual(error('https without key'), absent('key'));
    assert.deepEqual(error('https without cert'), absent('cert'));
    for (const field of ['key', 'cert', 'ca']) assert.deepEqual(error(`https with a missing ${field}`), missing(field));
    assert.equal(option('nothing else', 'https'), version === 3 ? undefined : false);
  });

  line('2.7', ({ option }) => {
    assert.deepEqual(option('https with bytes', 'https'), { key: { bytes: 1 }, cert: { bytes: 2 }, ca: { bytes: 3 } });
  }, { of: ({ version }) => version === 3 });

  line('10.1', ({ option }) => {
    assert.equal(option('https', 'port'), 8443);
    assert.equal(option('https and port', 'port'), 6001);
  });

  line('2.9', ({ option }) => {
    assert.deepEqual(option('texts', 'require'), ['one']);
    assert.deepEqual(option('list', 'require'), ['one', 'two']);
    assert.ok(!option('null', 'require'));
  });

  line('2.10', ({ option }) => assert.equal(option('nothing else', 'startMode'), 'process'));

  line('2.15', ({ option }, { version }) => {
    assert.deepEqual(option('list', 'plugins'), { watcher: { enable: true } });
    assert.equal(option('nothing else', 'plugins'), version === 3 ? undefined : null);
  });

  line('2.19', ({ answers }) => {
    assert.equal(answers.production.noDeprecation, '*');
    assert.equal(answers['no production'].noDeprecation, undefined);
  });
});
