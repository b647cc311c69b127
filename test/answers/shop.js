'use strict';

// The shop (test/fixtures/shop) on one cluster, as its customers reach it. Whoever asks says `Host: shop.example`, so that answers
// which name their host do not name a port.

const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { exchange } = require('../helpers/exchange');
const { freePort } = require('../helpers/free_port');
const { installedApp } = require('../helpers/installed_app');
const { openConnection } = require('../helpers/raw_connection');

const HOST = 'shop.example';

class Shop {
  constructor(ports, cluster) {
    this.ports = ports;
    this.cluster = cluster;
    /** What the processes are called, by their pids. */
    this.pids = new Map();
  }

  /** `options` are those of exchange(); `json` is a body. */
  request({ json, ...options }) {
    const headers = { Host: HOST, ...options.headers };
    const body = json === undefined ? options.body : JSON.stringify(json);
    if (json !== undefined) headers['Content-Type'] = 'application/json';
    if (body !== undefined && !headers['Transfer-Encoding']) headers['Content-Length'] = Buffer.byteLength(body);
    return exchange({ port: this.ports.main, method: 'GET', path: '/', ...options, headers, body });
  }

  get(path, headers) {
    return this.request({ path, headers });
  }

  post(path, json, headers) {
    return this.request({ method: 'POST', path, json, headers });
  }

  /** A connection to one of the ports, for bytes of one's own. */
  open(port = 'main') {
    return openConnection({ port: this.ports[port] });
  }

  /** Says `bytes` on a connection of its own and resolves to what came back when the far side has ended it. */
  async say(bytes, port) {
    const connection = await this.open(port);
    await connection.write(bytes);
    return connection.closed();
  }

  /** Somebody who brings back the cookies that were given. */
  visitor() {
    return new Visitor(this);
  }
}

class Visitor {
  constructor(shop) {
    this.shop = shop;
    this.cookies = new Map();
  }

  async request(options) {
    const headers = { ...options.headers };
    if (this.cookies.size) headers.Cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.shop.request({ ...options, headers });
    for (const header of answer.headers) {
      const [, name, value] = /^set-cookie: ([^=]+)=([^;]*)/i.exec(header) ?? [];
      if (name) this.cookies.set(name, value);
    }
    return answer;
  }

  get(path, headers) {
    return this.request({ path, headers });
  }

  post(path, json, headers) {
    const token = this.cookies.get('csrfToken');
    return this.request({ method: 'POST', path, json, headers: { ...token && { 'X-CSRF-Token': token }, ...headers } });
  }
}

/** Lays the shop for 'egg3' or 'egg4', on egg's own cluster layer with `stock`, else on ours. */
function layShop(flavour, { stock }) {
  return installedApp(flavour, { fixture: `shop_${flavour}`, base: 'shop', stock });
}

/** Starts the shop; `home` is where egg puts its logs. */
async function openShop(app, { home }) {
  const ports = { main: await freePort(), side: await freePort(), line: await freePort(), agent: await freePort() };
  const options = { baseDir: app.baseDir, workers: 2, env: 'prod', port: ports.main, title: 'the shop', ownField: { kept: true } };
  const cluster = startCluster(options, {
    starter: path.join(app.baseDir, 'start.js'),
    env: {
      NODE_ENV: 'production',
      EGG_HOME: home,
      SHOP_SIDE_PORT: ports.side,
      SHOP_LINE_PORT: ports.line,
      SHOP_AGENT_PORT: ports.agent,
    },
  });
  return new Shop(ports, cluster);
}

module.exports = { layShop, openShop };
