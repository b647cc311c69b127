'use strict';
// One request over TLS that tries to take up an earlier session.

const tls = require('node:tls');
const { once } = require('node:events');

/** Resolves to the pid that answered, whether the session was taken up, and the session of this connection. */
async function resume(port, session) {
  // The ticket of TLS 1.2 is there with the handshake.
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2', session });
  await once(socket, 'secureConnect');
  const result = { isResumed: socket.isSessionReused(), session: socket.getSession() };
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  return { ...result, pid: Number(text.split('\r\n\r\n')[1]) };
}

module.exports = { resume };
