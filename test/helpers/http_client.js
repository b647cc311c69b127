'use strict';
// Requests as tests make them: each on a connection of its own, or several on one that is kept.

const http = require('node:http');
const https = require('node:https');

const WATCHDOG_MS = 40000;

/**
 * One request. `options` are those of http.request and `body`; `https: true` speaks TLS and believes any certificate.
 * Resolves to { status, headers, body, json(), localPort }; rejects as the socket does (ECONNREFUSED, ECONNRESET …).
 */
function request({ body, https: secure = false, ...options }) {
  return new Promise((resolve, reject) => {
    const wanted = { host: '127.0.0.1', path: '/', agent: false, rejectUnauthorized: false, ...options };
    if (wanted.socketPath) delete wanted.host;
    const sent = (secure ? https : http).request(wanted, response => {
      const { localPort } = response.socket;
      const chunks = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, body: text, json: () => JSON.parse(text), localPort });
      });
    });
    sent.setTimeout(WATCHDOG_MS, () => sent.destroy(new Error(`no answer to ${wanted.path} within ${WATCHDOG_MS} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** GET on a fresh connection. `where` is a port, or options of request(). */
function get(where, path = '/') {
  return request(typeof where === 'object' ? { path, ...where } : { port: where, path });
}

async function getJson(where, path) {
  return (await get(where, path)).json();
}

/** One connection that is kept: get() goes through it again and again; close() ends it. */
class Connection {
  constructor(where) {
    this.where = typeof where === 'object' ? where : { port: where };
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  get(path = '/') {
    return request({ ...this.where, path, agent: this.agent });
  }

  close() {
    this.agent.destroy();
  }
}

module.exports = { request, get, getJson, Connection };
