'use strict';

// The client of the control socket: HTTP over a unix socket, JSON both ways.

const fs = require('fs');
const http = require('http');
const path = require('path');

const { CommandError } = require('./failures');
const { noCluster, processOf, socketByPidFile } = require('./find_cluster');

// unix(7): sun_path has 108 bytes, its closing NUL included.
const MAX_SOCKET_PATH = 107;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const LOOK_TIMEOUT_MS = 5000;
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR']);

/** A path that connect(2) takes: a long one goes by a descriptor of its folder. Close it when connected. */
function reachable(socket) {
  if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return { socketPath: socket, close() {} };
  const fd = fs.openSync(path.dirname(socket), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  return { socketPath: `/proc/self/fd/${fd}/${path.basename(socket)}`, close: () => fs.closeSync(fd) };
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError(`${what} answered with what is no JSON: ${text.slice(0, 120)}`, { code: 'ERR_CLUTCH_PROTOCOL', cause });
  }
}

class ControlClient {
  #cluster;
  #socket;

  /** @param {{ socket: string | null, pidFile: string, name: string }} cluster see locate */
  constructor(cluster) {
    this.#cluster = cluster;
    this.#socket = cluster.socket ?? socketByPidFile(cluster.pidFile);
  }

  /** A socket that was found by the pid file may be that of another cluster in the same folder. */
  get #isGuessed() {
    return this.#cluster.socket === null;
  }

  /** @returns {Promise<any>} */
  async status({ timeoutMs = LOOK_TIMEOUT_MS, ...settings } = {}) {
    const status = await this.#ask('GET', '/status', undefined, { timeoutMs, ...settings });
    if (status.version !== undefined && status.version !== 1) {
      throw new CommandError(`the cluster speaks version ${status.version} of the status, this egg-clutch knows version 1: use the one that it was started with`,
        { code: 'ERR_CLUTCH_PROTOCOL' });
    }
    if (this.#isGuessed && processOf(this.#cluster.pidFile)?.pid !== status.pid) throw noCluster(this.#cluster);
    return status;
  }

  /**
   * Resolves when it is done.
   * @param {string} what such as 'reload'
   * @param {object} body
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} [settings]
   */
  async order(what, body, settings) {
    if (this.#isGuessed) await this.status(settings);
    return this.#ask('POST', `/${what}`, body, settings);
  }

  /**
   * Calls `take(name, data)` for each event until `close()` of what it resolves to is called; `onEnd` where the other side ends it.
   */
  async events(take, onEnd = () => {}) {
    const response = await this.#request('GET', '/events', undefined, {});
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', text => {
      const blocks = (rest + text).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const name = /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message';
        const data = [...block.matchAll(/^data: ?(.*)$/gm)].map(match => match[1]).join('\n');
        if (data !== '') take(name, parse(data, 'the stream of events'));
      }
    });
    response.on('error', () => {}).on('close', onEnd);
    return { close: () => response.destroy() };
  }

  async #ask(method, target, body, settings = {}) {
    const response = await this.#request(method, target, body, settings);
    const text = await this.#read(response);
    const { statusCode } = response;
    const answer = text === '' ? {} : parse(text, target);
    if (statusCode >= 200 && statusCode < 300) return answer;
    const { code, message } = answer.error ?? {};
    throw new CommandError(message ?? `${method} ${target} was answered with status ${statusCode}`, { code });
  }

  async #read(response) {
    response.setEncoding('utf8');
    let text = '';
    try {
      for await (const part of response) {
        text += part;
        if (text.length > MAX_ANSWER_BYTES) throw new CommandError(`an answer of more than ${MAX_ANSWER_BYTES} bytes`, { code: 'ERR_CLUTCH_PROTOCOL' });
      }
    } catch (cause) {
      throw cause instanceof CommandError ? cause : this.#lost(cause);
    }
    return text;
  }

  #lost(cause) {
    return new CommandError(`the cluster was gone before it had answered (${cause.code ?? cause.message})`, { code: 'ERR_CLUTCH_CLOSED', cause });
  }

  #request(method, target, body, { timeoutMs, signal }) {
    if (!this.#socket) return Promise.reject(noCluster(this.#cluster));
    let way;
    try {
      way = reachable(this.#socket);
    } catch (cause) {
      return Promise.reject(noCluster({ ...this.#cluster, socket: this.#socket }, cause));
    }
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = { host: 'egg-clutch', ...(payload && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) };
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: way.socketPath, method, path: target, headers, agent: false, signal });
      const watchdog = timeoutMs && setTimeout(() => {
        reject(new CommandError(`the cluster did not answer ${target} within ${timeoutMs} ms`, { code: 'ERR_CLUTCH_TIMEOUT' }));
        request.destroy();
      }, timeoutMs);
      request.on('response', response => {
        response.once('close', () => clearTimeout(watchdog));
        resolve(response);
      });
      request.on('error', error => reject(this.#failure(error)));
      request.on('close', () => { clearTimeout(watchdog); way.close(); });
      request.end(payload);
    });
  }

  #failure(error) {
    if (NOBODY.has(error.code)) return noCluster({ ...this.#cluster, socket: this.#socket }, error);
    if (error.code === 'EACCES') {
      return CommandError.otherUser(this.#socket, error);
    }
    // unix(7): its backlog is full, so the master is there, and takes nobody.
    if (error.code === 'EAGAIN') return new CommandError(`too many wait to be heard at ${this.#socket} already`, { code: 'ERR_CLUTCH_TIMEOUT', cause: error });
    return this.#lost(error);
  }
}

module.exports = { ControlClient };
