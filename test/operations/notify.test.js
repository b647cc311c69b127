'use strict';
// What systemd is told by the socket that it listens on. Node has no datagrams by a path, so somebody else listens here.

const assert = require('node:assert/strict');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { startSteerable, steer } = require('../helpers/steering');
const { systemTool } = require('../helpers/system_tool');
const { until } = require('../helpers/waiting');

const LISTENER = `
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print('listening', flush=True)
while True: print(manager.recv(4096).decode(), end='', flush=True)
`;

it('a service manager hears when the cluster is ready, who is the main process after an upgrade, and that it stops', async function() {
  if (!systemTool('python3', ['--version'])) return;
  const socket = path.join(runFolder(), 'notify.sock');
  const manager = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let heard = '';
    manager.stdout.setEncoding('utf8').on('data', text => { heard += text; });
    await until(() => heard === 'listening\n', 'somebody who listens');
    const cluster = await startSteerable('serves_all_kinds', { workers: 1 }, { env: { NOTIFY_SOCKET: socket } });
    await until(() => heard.endsWith('READY=1\n'), 'the word of readiness');
    const { pid } = await steer(cluster, 'upgrade');
    await cluster.masterExit();
    process.kill(pid, 'SIGTERM');
    await cluster.exit();
    await until(() => (processes.look(pid)?.state ?? 'Z') === 'Z', 'the end of the new master');
    await until(() => heard.includes('STOPPING'), 'the word of the stop');
    assert.deepEqual(heard.split('\n'), ['listening', 'READY=1', `MAINPID=${pid}`, 'STOPPING=1', '']);
  } finally {
    manager.kill();
    await once(manager, 'exit');
  }
});
