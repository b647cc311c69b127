'use strict';
// The master is the first process of a container, in which every orphan becomes its child.

const assert = require('node:assert/strict');
const { startFolder, master } = require('../helpers/folder_cluster');
const { IN_A_NAMESPACE, mayUnshare } = require('../helpers/pid_namespace');
const { until } = require('../helpers/waiting');

describe('a master that is the first process', () => {
  let asked = 0;

  async function order(cluster, action, data) {
    cluster.send({ action, data });
    const answer = await cluster.message('answer', { index: asked });
    asked += 1;
    return answer.data;
  }

  if (mayUnshare()) {
    it('reaps the orphans that it is handed, never a child of its JavaScript, and is followed by no other master', async () => {
      const settings = { starter: master('as_first_process'), ...IN_A_NAMESPACE };
      const cluster = await startFolder('leaves_orphans', {}, settings);
      const { port } = await cluster.ready();
      assert.equal((await order(cluster, 'zombies')).pid, 1);
      await order(cluster, 'children', 40);
      for (let orphan = 0; orphan < 10; orphan++) await (await fetch(`http://127.0.0.1:${port}/orphan`)).text();
      await cluster.waitFor(() => (cluster.stdout.match(/^orphan ends$/gm) ?? []).length === 10, { what: 'the end of ten orphans' });
      const isClean = async () => {
        const { zombies, ended } = await order(cluster, 'zombies');
        return zombies.length === 0 && ended === 40;
      };
      await until(isClean, 'no zombie is left, and JavaScript has heard of the end of all its children');
      const refused = await order(cluster, 'upgrade');
      assert.equal(refused.code, 'ERR_CLUTCH_PLATFORM');
      assert.match(refused.message, /the first process of its container/);
      await order(cluster, 'stop');
      assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    });
  }
});
