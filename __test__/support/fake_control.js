'use strict';

// A control socket with nobody behind it: answers what a test says, and remembers what it was asked.

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const STATUS = {
  version: 1, pid: process.pid, ready: true, leaving: false, stopping: false, target: 2, serving: 2, degraded: false, reloading: false,
  address: 'http://127.0.0.1:7001', droppedMessages: 0, spares: [], lastDeaths: [],
  agent: { id: 1, generation: 1, pid: 100, state: 'ready', connected: true },
  workers: [
    { id: 1, slot: 0, generation: 1, pid: 101, state: 'ready', connected: true, isolated: false },
    { id: 3, slot: 1, generation: 2, pid: 103, state: 'ready', connected: true, isolated: true },
  ],
};

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

async function read(request) {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return text === '' ? undefined : JSON.parse(text);
}

/**
 * `answers` by 'GET /status' and so on: { status, body }, or a function of (request's body, response) that answers by itself.
 * Resolves to { baseDir, socket, asked, close() }.
 */
async function fakeControl(answers = {}, { name = 'clutch.sock', baseDir = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-cli-')) } = {}) {
  const asked = [];
  const server = http.createServer(async (request, response) => {
    const what = `${request.method} ${request.url}`;
    const body = await read(request);
    asked.push(body === undefined ? what : `${what} ${JSON.stringify(body)}`);
    const given = answers[what];
    if (typeof given === 'function') given(body, response);
    else if (given) answer(response, given.status ?? 200, given.body);
    else if (what === 'GET /status') answer(response, 200, STATUS);
    else answer(response, 404, { error: { code: 'ERR_CLUTCH_PROTOCOL', message: `no ${what}` } });
  });
  const run = path.join(baseDir, 'run');
  fs.mkdirSync(run, { recursive: true });
  const socket = path.join(run, name);
  await new Promise(resolve => { server.listen(socket, resolve); });
  const close = async () => {
    server.closeAllConnections();
    await new Promise(resolve => { server.close(resolve); });
    fs.rmSync(baseDir, { recursive: true, force: true });
  };
  return { baseDir, socket, asked, close };
}

module.exports = { fakeControl, answer, STATUS };
