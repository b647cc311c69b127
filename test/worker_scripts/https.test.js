'use strict';
// An app worker with keys: from files, from bytes in the options, from the config, and beside a plain debug port.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { forkApp, destroyAll } = require('./one_worker');
const { custom, removeAll } = require('./frameworks');
const { freePort } = require('../helpers/free_port');
const { get } = require('../helpers/http_client');

// Self-signed, for localhost and these tests alone.
const files = { key: path.join(__dirname, 'tls', 'localhost.key.pem'), cert: path.join(__dirname, 'tls', 'localhost.cert.pem') };

describe('https', () => {
  afterEach(destroyAll);
  after(removeAll);

  async function serves(options, body = {}) {
    const app = forkApp(custom(body, options));
    const { port } = await app.listening();
    assert.strictEqual((await get({ port, https: true })).body, 'served');
    assert.strictEqual((await app.message('realport')).data.protocol, 'https');
    return app;
  }

  it('takes key and cert from the files that the options name', () => serves({ https: files }));

  it('takes them as bytes that came through JSON, and as text', async () => {
    const [key, cert] = [fs.readFileSync(files.key), fs.readFileSync(files.cert)];
    await serves({ https: { key, cert, ca: [cert] } });
    await serves({ https: { key: String(key), cert: String(cert) } });
  });

  it('takes them from the config, the options winning', async () => {
    await serves({}, { construct: `this.config.cluster.https = ${JSON.stringify(files)};` });
    await serves({ https: files }, { construct: 'this.config.cluster.https = { key: "/no/such/key", cert: "/no/such/cert" };' });
  });

  it('serves a plain debug port beside', async () => {
    const debugPort = await freePort();
    const port = await freePort();
    const app = forkApp(custom({}, { https: files, port, debugPort }));
    await app.for(() => app.address?.port === debugPort, 'the debug port');
    assert.strictEqual((await get(debugPort)).body, 'served');
    assert.strictEqual((await get({ port, https: true })).body, 'served');
  });

  it('is plain http where the certificate is missing', async () => {
    const app = forkApp(custom({}, { https: { key: files.key } }));
    assert.strictEqual((await get((await app.listening()).port)).body, 'served');
  });

  it('says when a file cannot be read', async () => {
    const app = forkApp(custom({}, { https: { ...files, key: '/no/such/key.pem' } }));
    assert.deepStrictEqual(await app.end(), { code: 0, signal: null });
    assert.match(app.stderr, /ENOENT[^]*key\.pem[^]*\[app_worker\] start error, exiting with code:1/);
  });
});
