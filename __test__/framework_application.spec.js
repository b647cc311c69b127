'use strict';

const http = require('http');
const Koa = require('koa');
const { Application } = require('../lib/framework');
const { tree, removeAll } = require('./support/app_dir');

let app;
let server;

afterEach(async () => {
  await new Promise(resolve => (server ? server.close(resolve) : resolve()));
  server = null;
  await app.close().catch(() => {});
});

afterAll(removeAll);

function start(files = {}) {
  app = new Application({ baseDir: tree(files) });
  app.logger.error = jest.fn();
  return app;
}

/** Serves the app as the worker script does, and asks it once. */
async function ask(path = '/') {
  server ??= await new Promise(resolve => {
    const listening = http.createServer(app.callback()).listen(0, '127.0.0.1', () => resolve(listening));
  });
  return new Promise((resolve, reject) => {
    http.get({ port: server.address().port, path, agent: false }, response => {
      let body = '';
      response.setEncoding('utf8').on('data', chunk => { body += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, body }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

describe('without a handler', () => {
  test('answers 404 and tells what to do', async () => {
    start();
    const { status, body } = await ask();
    expect(status).toBe(404);
    expect(body).toMatch(/no request handler yet/);
    for (const way of ['app.use(', 'app.callback =', 'app.handle =']) expect(body).toContain(way);
  });

  test('takes one that is set while it serves', async () => {
    start();
    await ask();
    app.handle = (req, res) => res.end('now');
    expect(await ask()).toEqual({ status: 200, body: 'now' });
  });
});

describe('app.use()', () => {
  test('chains koa middleware', async () => {
    start({ 'app.js': `module.exports = app => {
      app.use(async (ctx, next) => { await next(); ctx.body += ' after'; }).use(ctx => { ctx.body = 'koa ' + ctx.path; });
    };` });
    expect(await ask('/x')).toEqual({ status: 200, body: 'koa /x after' });
  });

  test('takes middleware that comes later, and settings through app.koa', async () => {
    start();
    app.use(async (ctx, next) => { ctx.body = 'one'; await next(); });
    await ask();
    app.koa.proxy = true;
    app.use(ctx => { ctx.body += ` two ${ctx.app.proxy}`; });
    expect((await ask()).body).toBe('one two true');
  });

  test('logs what a middleware throws and answers 500; what the client may see is not logged', async () => {
    start();
    const failure = new Error('middleware broke');
    app.use(ctx => {
      if (ctx.path === '/client') ctx.throw(400, 'your fault');
      throw failure;
    });
    expect((await ask()).status).toBe(500);
    expect(app.logger.error).toHaveBeenCalledWith(failure);
    expect(await ask('/client')).toEqual({ status: 400, body: 'your fault' });
    expect(app.logger.error).toHaveBeenCalledTimes(1);
  });
});

describe('app.handle', () => {
  test('answers all requests', async () => {
    start({ 'app.js': 'module.exports = app => { app.handle = (req, res) => res.end("plain " + req.url); };' });
    expect((await ask('/y')).body).toBe('plain /y');
  });

  test('can be called', async () => {
    start();
    app.use(ctx => { ctx.body = 'through handle'; });
    server = await new Promise(resolve => {
      const own = http.createServer((req, res) => app.handle(req, res)).listen(0, '127.0.0.1', () => resolve(own));
    });
    expect((await ask()).body).toBe('through handle');
  });

  test.each([
    ['throws', () => { throw new Error('handler broke'); }],
    ['rejects', async () => { throw new Error('handler broke'); }],
  ])('that %s is logged and answered with 500', async (how, handler) => {
    start();
    app.handle = handler;
    expect(await ask()).toEqual({ status: 500, body: 'Internal Server Error\n' });
    expect(app.logger.error).toHaveBeenCalledWith(expect.objectContaining({ message: 'handler broke' }));
  });

  test('that throws after the head was sent breaks the connection off', async () => {
    start();
    app.handle = (req, res) => {
      res.writeHead(200);
      res.write('half');
      throw new Error('handler broke');
    };
    await expect(ask()).rejects.toThrow();
  });

  test('must be a function', () => {
    start();
    expect(() => { app.handle = 'x'; }).toThrow('app.handle must be a function (req, res)');
  });
});

describe('app.callback', () => {
  // What Express and Fastify look like from outside.
  const express = () => Object.assign((req, res, next) => res.end(`express ${typeof next}`), { handle() {}, use() {} });
  function fastify() {
    const instance = { loaded: false };
    return Object.assign(instance, {
      ready: async () => {
        await new Promise(setImmediate);
        instance.loaded = true;
      },
      routing: (req, res) => res.end(`fastify ${instance.loaded}`),
    });
  }
  function koa() {
    const web = new Koa();
    web.use(ctx => { ctx.body = 'koa'; });
    return web;
  }

  test.each([
    ['a listener', () => (req, res) => res.end('listener'), 'listener'],
    ['an Express app', express, 'express undefined'],
    ['a Koa app', koa, 'koa'],
    ['koa\'s own callback()', () => koa().callback(), 'koa'],
    ['a Fastify instance', fastify, 'fastify true'],
    ['a function that returns a listener', () => () => (req, res) => res.end('made'), 'made'],
    ['a function that returns an Express app', () => () => express(), 'express undefined'],
    ['a function that returns a Fastify instance', () => () => fastify(), 'fastify true'],
  ])('takes %s', async (what, make, expected) => {
    start();
    app.callback = make();
    expect((await ask()).body).toBe(expected);
  });

  test('is ready only when Fastify is', async () => {
    start();
    const instance = fastify();
    app.callback = instance;
    await app.ready();
    expect(instance.loaded).toBe(true);
  });

  test('set while it serves, Fastify gets the request when it is ready', async () => {
    start();
    await ask();
    const instance = fastify();
    let load;
    const loaded = new Promise(resolve => { load = resolve; });
    instance.ready = () => loaded.then(() => { instance.loaded = true; });
    const asked = new Promise(resolve => server.once('request', resolve));
    await app.ready();
    app.callback = instance;
    const answer = ask();
    await asked;
    load();
    expect((await answer).body).toBe('fastify true');
  });

  test('fails the start when Fastify does not load', async () => {
    start();
    app.callback = { routing() {}, ready: async () => { throw new Error('plugin broke'); } };
    await expect(app.ready()).rejects.toThrow('plugin broke');
  });

  test.each([[undefined], [5], [{}], [() => 5], [() => () => () => 5]])('refuses %p', value => {
    start();
    expect(() => { app.callback = value; }).toThrow(/^app\.callback must be a function \(req, res\)/);
  });
});

describe('two ways at once', () => {
  const ways = {
    'app.use()': () => app.use(() => {}),
    'app.handle': () => { app.handle = (req, res) => res.end(); },
    'app.callback': () => { app.callback = (req, res) => res.end(); },
  };
  const pairs = Object.keys(ways).flatMap(first => Object.keys(ways).filter(second => second !== first).map(second => [first, second]));

  test.each(pairs)('%s and then %s is refused', (first, second) => {
    start();
    ways[first]();
    expect(ways[second]).toThrow(`${second} cannot be combined with ${first}: only one may answer`);
  });

  test.each(Object.keys(ways))('%s twice is allowed', way => {
    start();
    ways[way]();
    expect(ways[way]).not.toThrow();
  });
});

describe('the server', () => {
  test('is kept, and an uncaught exception is watched for from then on', async () => {
    start();
    const before = process.listenerCount('uncaughtException');
    const own = http.createServer(app.callback());
    app.emit('server', own);
    expect(app.server).toBe(own);
    const added = process.listeners('uncaughtException').slice(before);
    added.forEach(listener => process.removeListener('uncaughtException', listener));
    expect(added).toHaveLength(1);
  });
});
