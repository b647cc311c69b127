'use strict';
// Apps that use the channel to the master by themselves: process.send, cluster.worker, process.disconnect, process.channel, fork.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const net = require('node:net');
const { once } = require('node:events');
const { startFolder, started } = require('../helpers/folder_cluster');
const { order, attempt, tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

describe('raw IPC', () => {
  let cluster;
  let agent;
  let apps;

  before(async () => {
    cluster = await startFolder('talks_raw');
    await cluster.ready();
    look();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    // One that has lost its channel may take a moment longer to end than its successor to start.
    await until(() => cluster.appPids().length === 2, 'only those are left that serve');
    look();
    for (const pid of [agent, ...apps]) await order(cluster, pid, 'heard');
  });

  function look() {
    agent = cluster.agentPid();
    apps = cluster.appPids();
  }

  function ownMessages(messages) {
    return messages.filter(message => !['egg-pids', 'egg-ready', 'agent-start'].includes(message?.action));
  }

  /** Has `sender` send, and asserts who hears what: { pid: message }. Others hear nothing, the parent neither. */
  async function assertHeard(sender, message, expected, command = 'send') {
    const before = cluster.messages.length;
    await order(cluster, sender, command, message);
    for (const pid of [agent, ...apps]) {
      const wanted = pid in expected ? [expected[pid]] : [];
      assert.deepEqual(ownMessages(await order(cluster, pid, 'heard')), wanted, `in ${pid}`);
    }
    const told = cluster.messages.slice(before).filter(({ action }) => action !== 'order-answer');
    assert.deepEqual(told, 'parent' in expected ? [expected.parent] : []);
  }

  const toApps = message => Object.fromEntries(apps.map(pid => [pid, { ...message, to: 'app' }]));

  describe('process.send()', () => {
    it('reaches one process by receiverPid, whatever `to` says', async () => {
      const message = { action: 'news', to: 'agent', receiverPid: String(apps[1]), extra: [1] };
      await assertHeard(apps[0], message, { [apps[1]]: { ...message, from: 'app', to: 'app' } });
      const toAgent = { action: 'news', to: 'app', receiverPid: String(agent) };
      await assertHeard(apps[0], toAgent, { [agent]: { ...toAgent, from: 'app', to: 'agent' } });
    });

    it('reaches nobody by a receiverPid that is a number, or by one of nobody', async () => {
      for (const receiverPid of [apps[1], agent, '1', '']) {
        const heard = receiverPid === '' ? { [agent]: { action: 'news', receiverPid, from: 'app', to: 'agent' } } : {};
        await assertHeard(apps[0], { action: 'news', receiverPid }, heard);
      }
    });

    it('reaches nobody by a `to` that is unknown', async () => {
      await assertHeard(apps[0], { action: 'news', to: 'somebody' }, {});
      await assertHeard(agent, { action: 'news', to: 'somebody' }, {});
    });

    it('needs no action', async () => {
      await assertHeard(apps[0], { data: 1 }, { [agent]: { data: 1, from: 'app', to: 'agent' } });
      await assertHeard(agent, { to: 'app' }, toApps({ from: 'agent' }));
      await assertHeard(agent, { to: 'parent', data: [] }, { parent: { to: 'parent', data: [], from: 'agent' } });
    });

    it('takes a text for an action, of the agent for all apps', async () => {
      await assertHeard(agent, 'news', toApps({ action: 'news', data: 'news', from: 'agent' }));
    });

    it('calls back when the message is written', async () => {
      await assertHeard(apps[0], { action: 'news' }, { [agent]: { action: 'news', from: 'app', to: 'agent' } }, 'sendWithCallback');
      assert.deepEqual(await order(cluster, agent, 'sendWithCallback', { action: 'news', to: 'nowhere' }), { error: null });
    });

    it('throws what Node throws where there is nothing to send', async () => {
      for (const pid of [agent, apps[0]]) {
        assert.equal((await attempt(cluster, pid, 'sendNothing')).error.code, 'ERR_MISSING_ARGS');
        assert.equal((await attempt(cluster, pid, 'sendBigInt')).error.name, 'TypeError');
      }
    });
  });

  describe('cluster.worker', () => {
    it('is the process itself in an app, alive and connected', async () => {
      for (const pid of apps) {
        assert.deepEqual(await order(cluster, pid, 'face'),
          { worker: 'object', isProcess: true, isConnected: true, isDead: false, onPurpose: 'undefined', variables: [] });
      }
    });

    it('is not there in the agent', async () => {
      assert.deepEqual(await order(cluster, agent, 'face'), { worker: 'undefined', isProcess: false, onPurpose: 'undefined', variables: [] });
    });

    it('sends as process.send does', async () => {
      await assertHeard(apps[0], { action: 'news' }, { [agent]: { action: 'news', from: 'app', to: 'agent' } }, 'sendByWorker');
    });
  });

  describe('process.channel', () => {
    it('may be unreferenced and referenced again, and messages come all the same', async () => {
      for (const pid of [agent, apps[0]]) {
        await order(cluster, pid, 'channel', 'unref');
        await assertHeard(apps[1], { action: 'news', receiverPid: String(pid) },
          { [pid]: { action: 'news', receiverPid: String(pid), from: 'app', to: pid === agent ? 'agent' : 'app' } });
        await order(cluster, pid, 'channel', 'ref');
      }
    });
  });

  describe('child_process.fork()', () => {
    it('gives the child of a worker a channel of its own, and nothing of that to the master', async () => {
      for (const pid of [agent, apps[0]]) {
        const { face, shared, code } = await order(cluster, pid, 'forkChild');
        assert.deepEqual(face, {
          message: { action: 'news', data: 'for the child', to: 'agent' }, isPrimary: true, worker: 'undefined', variables: [],
        });
        assert.deepEqual({ shared, code }, { shared: [], code: 0 });
      }
      assert.deepEqual(ownMessages(await order(cluster, agent, 'heard')), []);
    });
  });

  describe('a handle that the parent sends', () => {
    /** A server, a socket and a datagram socket, and `close()` for all. */
    async function openHandles() {
      const server = net.createServer(socket => socket.end('the parent')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = net.connect(server.address().port, '127.0.0.1').resume();
      const other = net.createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const socket = net.connect(other.address().port, '127.0.0.1');
      const [peer] = await once(other, 'connection');
      const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const close = () => {
        for (const opened of [client, socket, peer]) opened.destroy();
        for (const opened of [server, other, udp]) opened.close();
      };
      return { server, socket, peer, udp, close };
    }

    async function answerOf(port) {
      const client = net.connect(port, '127.0.0.1').setEncoding('utf8');
      const [text] = await once(client, 'data');
      client.destroy();
      return text;
    }

    it('ends in the master: the message goes on without it, a socket is closed, and a server stays the parent\'s alone', async () => {
      const { server, socket, peer, udp, close } = await openHandles();
      const ended = once(peer.resume(), 'close');
      for (const [number, handle] of [server, socket, udp].entries()) {
        cluster.child.send({ action: 'news', data: number, to: 'app' }, handle);
      }
      await ended;
      for (const pid of apps) {
        await order(cluster, pid, 'face');
        assert.deepEqual(ownMessages(await order(cluster, pid, 'heard')), [0, 1, 2].map(data => ({ action: 'news', data, from: 'parent', to: 'app' })));
      }
      for (let turn = 0; turn < 10; turn++) assert.equal(await answerOf(server.address().port), 'the parent');
      close();
    });
  });

  // These end processes, and new ones come.
  describe('at the end of a process', () => {
    it('a message arrives whose sender leaves in its callback', async () => {
      tell(cluster, apps[0], 'sendAndLeave', { action: 'farewell', to: 'parent' });
      assert.deepEqual(await cluster.message('farewell'), { action: 'farewell', to: 'parent', from: 'app' });
      await started(cluster, 2);
    });

    it('a message arrives whose sender disconnects in the same turn', async () => {
      tell(cluster, apps[0], 'sendAndDisconnect', { action: 'adieu', to: 'parent' });
      assert.deepEqual(await cluster.message('adieu'), { action: 'adieu', to: 'parent', from: 'app' });
      await started(cluster, 3);
    });

    it('process.send() after process.disconnect() fails in an app, which is replaced', async () => {
      tell(cluster, apps[0], 'sendAfterDisconnect');
      // Node ends a worker whose channel is closed before it calls anybody back.
      await cluster.output(`[talks raw] ${apps[0]} connected false, returned false, returned false\n`);
      await started(cluster, 4);
    });

    it('an agent that listens, but for nothing else, ends with its unreferenced channel, and a new one comes', async () => {
      await assertHeard(apps[0], 'news', { [agent]: { action: 'news', data: 'news', from: 'app', to: 'agent' } });
      tell(cluster, agent, 'letGo');
      await cluster.output(`agent_worker#1:${agent} died (code: 0, signal: null)`);
      const [, pid] = await cluster.output(/agent_worker#2:(\d+) started/);
      look();
      assert.equal(agent, Number(pid));
    });

    it('process.send() after process.disconnect() fails in the agent, which leaves with 110, and a new one comes', async () => {
      tell(cluster, agent, 'sendAfterDisconnect');
      await cluster.output(`[talks raw] ${agent} connected false, returned false, returned false, callback ERR_IPC_CHANNEL_CLOSED, event ERR_IPC_CHANNEL_CLOSED\n`);
      await cluster.output(`agent_worker#2:${agent} died (code: 110, signal: null)`);
      const [, pid] = await cluster.output(/agent_worker#3:(\d+) started/);
      look();
      assert.equal(agent, Number(pid));
      await assertHeard(apps[0], 'news', { [agent]: { action: 'news', data: 'news', from: 'app', to: 'agent' } });
    });
  });
});
