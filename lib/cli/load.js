'use strict';

// Clients that ask an app again and again, and count what became of it.

const http = require('http');
const https = require('https');

const { CommandError } = require('./failures');

const MAX_KINDS_SHOWN = 8;
const ANSWER_LIMIT_MS = 30000;

/** Where to ask: { module, options }, of an http(s) address or the path of a unix socket. */
function target(address, path) {
  if (address.startsWith('/')) return { module: http, options: { socketPath: address, path } };
  let url;
  try {
    url = new URL(path, address);
  } catch (cause) {
    throw CommandError.usage(`there is no way to ask ${address} for ${path}: ${cause.message}`);
  }
  const isHttps = url.protocol === 'https:';
  if (!isHttps && url.protocol !== 'http:') throw CommandError.usage(`--url must be http or https, got ${address}`);
  // It is the cluster of this machine, under whatever name its certificate has.
  const options = { hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port || (isHttps ? 443 : 80), path: url.pathname + url.search, rejectUnauthorized: false };
  return { module: isHttps ? https : http, options };
}

/** One request: resolves to { status, ms } or { error }. */
function ask({ module, options }, agent) {
  const began = process.hrtime.bigint();
  return new Promise(resolve => {
    const request = module.get({ ...options, agent });
    request.setTimeout(ANSWER_LIMIT_MS, () => request.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS / 1000} s`)));
    request.on('error', error => resolve({ error: error.code ?? error.message }));
    request.on('response', response => {
      response.on('error', error => resolve({ error: error.code ?? error.message }));
      response.on('end', () => {
        const ms = Number(process.hrtime.bigint() - began) / 1e6;
        resolve(response.complete ? { status: response.statusCode, ms } : { error: 'the answer was cut off' });
      });
      response.resume();
    });
  });
}

class Load {
  #where;
  #right;
  #running = true;
  #clients;

  /** @param {{ module: object, options: object }} where @param {number} clients @param {number} right the status of a good answer */
  constructor(where, clients, right) {
    this.#where = where;
    this.#right = right;
    this.asked = 0;
    this.answered = 0;
    this.slowestMs = 0;
    this.lost = new Map();
    this.#clients = Array.from({ length: clients }, (_, place) => this.#client(place % 2 === 0));
  }

  /** Resolves when the answers to all that was asked are there. */
  async end() {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  get lostCount() {
    return [...this.lost.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What was lost, in words, the most frequent first. */
  lostWords() {
    return [...this.lost].sort(([, a], [, b]) => b - a).slice(0, MAX_KINDS_SHOWN).map(([what, count]) => `${count} × ${what}`);
  }

  async #client(keeps) {
    const agent = new this.#where.module.Agent({ keepAlive: keeps, maxSockets: 1 });
    while (this.#running) {
      this.asked += 1;
      this.#note(await ask(this.#where, agent));
    }
    agent.destroy();
  }

  #note({ status, error, ms }) {
    if (error === undefined && status === this.#right) {
      this.answered += 1;
      this.slowestMs = Math.max(this.slowestMs, ms);
      return;
    }
    const what = error ?? `status ${status} in the place of ${this.#right}`;
    this.lost.set(what, (this.lost.get(what) ?? 0) + 1);
  }
}

module.exports = { Load, ask, target };
