'use strict';

// Answers that come in pieces, and clients that go before the end.

const REQUEST_END = 'Host: shop.example\r\nConnection: close\r\n\r\n';

module.exports = step => {
  step('an answer in chunks, chunk by chunk', /one,.*zwei,.*tr.*end/, shop => shop.say(`GET /streams/chunks HTTP/1.1\r\n${REQUEST_END}`));
  step('an answer in chunks to an old client', /one,zwei/, shop => shop.say('GET /streams/chunks HTTP/1.0\r\n\r\n'));
  step('an answer with trailers', /X-Sum: 42/, shop => shop.get('/streams/trailers'));
  step('hints before the answer', /information 103/, shop => shop.get('/streams/hints'));
  step('an answer whose second half waits for another request', /data: now/, async shop => {
    const connection = await shop.open();
    await connection.write(`GET /streams/held?key=one HTTP/1.1\r\n${REQUEST_END}`);
    await connection.until(/data: first\n\n/);
    const before = connection.received;
    const released = await shop.post('/api/journal', { topic: 'release one', entry: 'now' });
    return [before, released, await connection.closed()];
  });
  step('an answer that breaks off', /so far so good/, shop => shop.say(`GET /streams/broken HTTP/1.1\r\n${REQUEST_END}`));
  step('an answer that never comes', /"events"/, shop => shop.say('GET /answers/never HTTP/1.1\r\nHost: shop.example\r\n\r\n'));

  step('a client that goes in the middle of its upload', /ECONN/, async shop => {
    const connection = await shop.open();
    await connection.write('POST /upload/raw HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100\r\n\r\nonly so much');
    connection.destroy();
    return shop.get('/inside/journal?topic=aborted&count=1');
  });
  step('a client that goes in the middle of its download', /finished/, async shop => {
    const connection = await shop.open();
    await connection.write(`GET /streams/endless HTTP/1.1\r\n${REQUEST_END}`);
    await connection.until(/more\n/);
    connection.destroy();
    return shop.get('/inside/journal?topic=endless&count=1');
  });
};
