'use strict';
// messenger: { serialization: 'advanced' }: what arrives is a structured clone, whichever way it came, for egg's own messenger too.

const assert = require('node:assert/strict');
const { master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { ask } = require('../helpers/probe');
const { Subject } = require('./shared/subject');
const { WAYS } = require('./shared/ways');

const INSTALL_LIMIT_MS = 300000;
const MB = 1024 * 1024;

for (const [way, { name, env, options, meet, hasThreads }] of Object.entries(WAYS)) {
  describe(`structured clone ${way}`, () => {
    const subject = new Subject(name);
    let cluster;
    let agent;
    let apps;

    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      const { packageDir } = await subject.lay();
      cluster = await subject.start(
        { messenger: { serialization: 'advanced' }, ...await options() },
        { env: { ...env, PROBE_PACKAGE: packageDir }, starter: master('asks_and_replies') });
      ({ agent, apps } = await meet(cluster));
    });
    after(() => cluster.stop());

    it('keeps what JSON loses, there and back', async () => {
      for (const [from, target] of [[apps[0], 'agent'], [agent, apps[1]], [apps[0], apps[0]], [apps[1], 'master'], [agent, 'master']]) {
        const shown = await ask(cluster, from, 'askCloneables', { target });
        // A thread's message makes a Buffer a Uint8Array, as postMessage does it.
        const same = hasThreads ? text => text.replace(/<Buffer [^>]*>|Uint8Array\(\d+\) \[[^\]]*\]/g, 'bytes') : text => text;
        for (const [sent, answered] of shown) assert.equal(same(answered), same(sent), `${from} → ${target}`);
      }
      const { result } = await orderMaster(cluster, 'requestMap', apps[0]);
      assert.match(result, /^Map\(1\) \{ 1 => <Buffer 68 65 79> \}$|^Map\(1\) \{ 1 => Uint8Array\(3\)/);
    });

    it('is what listeners of egg\'s messenger get', async () => {
      await ask(cluster, agent, 'forget');
      await ask(cluster, apps[0], 'sendCloneable', { method: 'sendToAgent', args: ['news'] });
      await ask(cluster, apps[0], 'send', { method: 'sendToAgent', args: ['fence', 'after it'] });
      await ask(cluster, agent, 'when', { action: 'fence', last: 'after it' });
      assert.deepEqual(await ask(cluster, agent, 'inspected', 'news'), [
        "{ date: 1970-01-01T00:00:00.000Z, map: Map(1) { 1 => Set(1) { 'x' } }, nothing: undefined, large: 1180591620717411303424n }",
      ]);
    });

    it('refuses what has no clone where it is sent', async () => {
      await assert.rejects(ask(cluster, apps[0], 'sendUncloneable', { method: 'sendToAgent', args: ['news'] }), /DataCloneError/);
    });

    it('carries large bytes', async () => {
      for (const bytes of [100, 100 * 1024, 8 * MB]) {
        const { isEqual, byteLength, isBuffer } = await ask(cluster, apps[0], 'askBytes', { target: 'agent', bytes });
        assert.ok(isEqual, `${bytes}`);
        assert.equal(byteLength, bytes);
        assert.equal(isBuffer, !hasThreads);
      }
    });
  });
}
