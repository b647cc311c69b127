'use strict';

const http = require('node:http');
const { command } = require('./support/command');
const { fakeControl, answer, STATUS } = require('./support/fake_control');

let app;
let respond;
let control;
let address;

beforeEach(async () => {
  app = http.createServer((request, response) => respond(request, response));
  await new Promise(resolve => { app.listen(0, '127.0.0.1', resolve); });
  address = `http://127.0.0.1:${app.address().port}`;
  respond = (_request, response) => response.end('fine');
});

afterEach(async () => {
  app.closeAllConnections();
  app.close();
  await control.close();
});

/** A reload that ends when the app has been asked so often since it began. */
function reloadsWhile(asked) {
  return (_body, response) => {
    let left = asked;
    const before = respond;
    respond = (request, reply) => {
      left -= 1;
      if (left === 0) answer(response, 200, { workers: 2, agent: false });
      before(request, reply);
    };
  };
}

async function soak(reload, flags = []) {
  control = await fakeControl({ 'GET /status': { body: { ...STATUS, address } }, 'POST /reload': reload });
  return command(['soak-reload', '--clients', '4', ...flags], { cwd: control.baseDir });
}

test('counts what was answered while it reloads', async () => {
  const { code, stdout } = await soak(reloadsWhile(50), ['--reloads', '2']);
  const [, asked, answered, lost] = /^2 reloads in .+ s: (\d+) requests, (\d+) answered, (\d+) lost; the slowest took \d+ ms\n$/.exec(stdout);
  expect(Number(asked)).toBeGreaterThanOrEqual(100);
  expect([answered, lost]).toEqual([asked, '0']);
  expect(code).toBe(0);
});

test('a request without a whole answer is lost, and the exit code says so', async () => {
  let count = 0;
  respond = (request, response) => {
    count += 1;
    if (count === 20) request.socket.destroy();
    else if (count === 30) response.writeHead(200, { 'content-length': 100 }).write('half', () => request.socket.destroy());
    else response.end('fine');
  };
  const result = await soak(reloadsWhile(60), ['--json']);
  expect(result.code).toBe(1);
  expect(result.json()).toMatchObject({ reloads: 1, lost: 2 });
});

test('another status than at first is lost', async () => {
  let count = 0;
  respond = (_request, response) => {
    count += 1;
    response.statusCode = count === 20 ? 503 : 404;
    response.end();
  };
  const { code, stdout } = await soak(reloadsWhile(40), ['--path', '/missing']);
  expect(code).toBe(1);
  expect(stdout).toContain('  1 × status 503 in the place of 404\n');
});

test('a reload that fails is told, and the load ends', async () => {
  const { code, stderr } = await soak((_body, response) => answer(response, 409, { error: { code: 'ERR_CLUTCH_RELOAD', message: 'no boot' } }));
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'egg-clutch: no boot\n' });
});

test('an app that does not answer is told before anything is reloaded', async () => {
  respond = request => request.socket.destroy();
  const { code, stderr } = await soak({ body: {} });
  expect(code).toBe(1);
  expect(stderr).toContain(`the app does not answer on ${address}: ECONNRESET`);
  expect(control.asked).toEqual(['GET /status']);
});
