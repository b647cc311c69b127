'use strict';
// The live page of a cluster that has no admin port, and what `egg-clutch top` looks at: served from here, with what its API tells.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { steer } = require('./steering');

const PAGE = path.join(__dirname, '..', '..', 'src', 'control', 'page.html');

/** Hands what has happened, and what happens, to one reader. */
function tell(cluster, response) {
  const since = cluster.messages.length;
  let told = 0;
  const look = () => {
    const events = cluster.messages.slice(since).filter(message => message?.action === 'cluster-event');
    for (const { data: { event, ...fields } } of events.slice(told)) response.write(`event: ${event}\ndata: ${JSON.stringify(fields)}\n\n`);
    told = events.length;
  };
  cluster.child.on('message', look);
  response.on('close', () => cluster.child.removeListener('message', look));
}

/** Resolves to { url, close() }. `cluster` is one of startSteerable; `socket` is the path of a unix socket, in the place of a port. */
async function servePage(cluster, { socket } = {}) {
  const answers = {
    '/': response => response.setHeader('content-type', 'text/html; charset=utf-8').end(fs.readFileSync(PAGE)),
    '/status': async response => response.setHeader('content-type', 'application/json').end(JSON.stringify({ version: 1, ...await steer(cluster, 'status') })),
    '/events': response => {
      response.setHeader('content-type', 'text/event-stream').write('retry: 2000\n\n');
      tell(cluster, response);
    },
  };
  const server = http.createServer((request, response) => {
    const answer = answers[request.url];
    if (!answer) return response.writeHead(404).end();
    // A cluster that stops has no answer.
    return Promise.resolve(answer(response)).catch(() => response.writeHead(503).end());
  });
  const where = socket ? { path: socket } : { port: 0, host: '127.0.0.1' };
  await new Promise(resolve => { server.listen(where, resolve); });
  return {
    url: socket ? null : `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

module.exports = { servePage };
