'use strict';
// A real nginx in front of a cluster, by a configuration of a few lines.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { freePort } = require('./free_port');
const { runFolder } = require('./run_folder');
const { systemTool } = require('./system_tool');
const { until } = require('./waiting');

/** Passes on requests and websockets, and says in a header from which address they came. */
function configuration({ port, upstream }) {
  return `
daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${name};`).join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Real-IP $remote_addr;
    }
  }
}
`;
}

function answers(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Resolves to { port, stop() } when it listens, or to null where there is no nginx and nobody insists on it. */
async function startNginx(upstream) {
  if (!systemTool('nginx', ['-v'])) return null;
  const port = await freePort();
  const folder = fs.mkdtempSync(path.join(runFolder(), 'nginx-'));
  fs.writeFileSync(path.join(folder, 'nginx.conf'), configuration({ port, upstream }));
  const child = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', text => { errors += text; });
  const ended = once(child, 'exit');
  const failed = ended.then(([code]) => { throw new Error(`nginx ended with ${code}: ${errors}`); });
  failed.catch(() => {});
  await Promise.race([failed, until(() => answers(port), 'nginx listens')]);
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

module.exports = { startNginx };
