'use strict';
// The control socket of a cluster as its users speak to it.

const http = require('node:http');
const path = require('node:path');
const { request } = require('./http_client');
const { runFolder } = require('./run_folder');

let made = 0;

/** A path for a control socket, of this run alone. */
function socketPath() {
  return path.join(runFolder(), `control-${made += 1}.sock`);
}

/** POSTs a verb. Resolves to { status, body } with the answer's JSON. */
async function act(socket, verb, body = {}) {
  const answer = await request({ socketPath: socket, method: 'POST', path: `/${verb}`, body: JSON.stringify(body) });
  return { status: answer.status, body: answer.json() };
}

/** GETs a path. Resolves to { status, body } with the answer's JSON. */
async function look(where, name) {
  const answer = await request({ ...(typeof where === 'string' ? { socketPath: where } : where), path: `/${name}` });
  return { status: answer.status, body: answer.json() };
}

/** GETs the metrics as text. Resolves to a Map from a name with its labels, as they are written, to the number. */
async function metrics(where) {
  const { body } = await request({ ...(typeof where === 'string' ? { socketPath: where } : where), path: '/metrics' });
  const lines = body.split('\n').filter(line => line && !line.startsWith('#'));
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** Listens to the events. Resolves to { seen, end() }: what came so far as { type, data }, in order. */
function listen(where) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const sent = http.get({ ...(typeof where === 'string' ? { socketPath: where } : where), path: '/events', agent: false }, response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', piece => {
        const parts = (text + piece).split('\n\n');
        text = parts.pop();
        for (const part of parts) {
          const match = /^event: (.+)\ndata: (.+)$/.exec(part);
          if (match) seen.push({ type: match[1], data: JSON.parse(match[2]) });
        }
      });
      response.on('error', () => {});
      resolve({ seen, status: response.statusCode, end: () => sent.destroy() });
    });
    sent.on('error', reject);
  });
}

module.exports = { socketPath, act, look, metrics, listen };
