'use strict';

// Connections: kept, pipelined, upgraded, half closed; and the other servers of the shop.

const http = require('node:http');

const ASK = path => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`;
const LAST = path => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`;
const UPGRADE = path => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
  + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

module.exports = step => {
  step('three requests on a kept connection', [200, 200, 299], async shop => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const answers = [];
    for (const path of ['/answers/text', '/public/digits.txt', '/answers/odd']) answers.push(await shop.request({ path, agent }));
    agent.destroy();
    return answers;
  });
  step('four requests in one breath', /299 Rather Fine/, shop => (
    shop.say([ASK('/answers/text'), ASK('/api/products/1'), ASK('/answers/odd'), LAST('/any/more-1')].join(''))));
  step('two requests in one breath, of which the first has to wait', /data: at last.*Laden/, async shop => {
    const connection = await shop.open();
    await connection.write(ASK('/streams/held?key=two') + LAST('/answers/text'));
    await connection.until(/data: first/);
    await shop.post('/api/journal', { topic: 'release two', entry: 'at last' });
    return connection.closed();
  });
  step('forty visitors at once', Array(40).fill(200), shop => (
    Promise.all(Array.from({ length: 40 }, (_, number) => shop.get(`/greet/visitor-${number}`)))));
  step('a request, byte by byte', /Laden/, async shop => {
    const connection = await shop.open();
    connection.socket.setNoDelay(true);
    for (const byte of LAST('/answers/text')) await connection.write(byte);
    return connection.closed();
  });
  step('a client that ends its half first', /HTTP/, async shop => {
    const connection = await shop.open();
    await connection.write(ASK('/answers/text'));
    connection.end();
    return connection.closed();
  });
  step('a client that says nothing and goes', /"events"/, async shop => {
    const connection = await shop.open();
    connection.end();
    return connection.closed();
  });

  step('an upgrade, and what follows it', /101 Switching/, async shop => {
    const connection = await shop.open();
    await connection.write(`${UPGRADE('/socket')}first`);
    await connection.until(/first/);
    await connection.write('second \xff\x00 ');
    await connection.until(/second/);
    await connection.write('bye');
    return connection.closed();
  });
  step('an upgrade that is refused', /no door/, shop => shop.say(UPGRADE('/elsewhere')));
  step('CONNECT', /"events"/, shop => shop.say('CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n'));

  step('the second server of the apps', /side GET \/x/, shop => shop.request({ port: shop.ports.side, path: '/x' }));
  step('the second server, which ends a kept connection that is idle', /"end"/, shop => shop.say(ASK('/idle'), 'side'));
  step('the server of the agent', /agent/, shop => shop.request({ port: shop.ports.agent, path: '/y' }));
  step('a server of lines over TCP', /BYE OR NOT/, async shop => {
    const connection = await shop.open('line');
    await connection.until(/hello/);
    await connection.write('bye or not\n');
    await connection.until(/NOT/);
    connection.end();
    return connection.closed();
  });
  step("egg's own client, to an app", /side GET/, shop => shop.get('/inside/relay/app'));
  step("egg's own client, to the agent", /agent/, shop => shop.get('/inside/relay/agent'));
};
