'use strict';

// Requests that no good client sends. Each is said on a connection of its own, and the far side has to end it.

const HOST = 'Host: shop.example\r\n';
const CLOSE = 'Connection: close\r\n';

const ODD = {
  'no HTTP at all': 'good morning\r\n\r\n',
  'the hello of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'a header without a name': `GET / HTTP/1.1\r\n${HOST}: nothing\r\n\r\n`,
  'a header with a blank in its name': `GET / HTTP/1.1\r\n${HOST}A b: c\r\n\r\n`,
  'a header with a line of its own': `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n${CLOSE}\r\n`,
  'a header with a zero byte': `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
  'a URI that is too long': `GET /${'x'.repeat(20000)} HTTP/1.1\r\n${HOST}\r\n`,
  'headers that are too long': `GET / HTTP/1.1\r\n${HOST}X: ${'y'.repeat(20000)}\r\n\r\n`,
  'many headers': `GET /answers/text HTTP/1.1\r\n${HOST}${CLOSE}${Array.from({ length: 900 }, (_, n) => `X${n}: 1\r\n`).join('')}\r\n`,
  'a method that nobody knows': `BREW / HTTP/1.1\r\n${HOST}\r\n`,
  'a method in small letters': `get / HTTP/1.1\r\n${HOST}\r\n`,
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'two hosts': `GET /answers/text HTTP/1.1\r\n${HOST}${HOST}${CLOSE}\r\n`,
  'HTTP 1.0': 'GET /answers/text HTTP/1.0\r\n\r\n',
  'HTTP 1.0 that keeps its connection, and then goes': 'GET /answers/text HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /answers/odd HTTP/1.0\r\n\r\n',
  'HTTP 3.0': `GET / HTTP/3.0\r\n${HOST}\r\n`,
  'HTTP 2 without a word before': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'empty lines first': `\r\n\r\nGET /answers/text HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'lines that end in LF': 'GET /answers/text HTTP/1.1\nHost: shop.example\nConnection: close\n\n',
  'an absolute URI': `GET http://shop.example/answers/text?x HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'OPTIONS of everything': `OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'two slashes': `GET //answers//text HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'dots in a path': `GET /public/../answers/text HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'a zero byte in a path': `GET /greet/%00 HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'bytes beyond ASCII in a path': `GET /greet/\xfc HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'a fragment': `GET /answers/text#end HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
  'a length that is no number': `POST /echo HTTP/1.1\r\n${HOST}Content-Length: many\r\n\r\n`,
  'two lengths': `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  'a length and chunks': `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a coding that nobody knows': `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: morse\r\n\r\n-.-`,
  'a chunk without a size': `POST /upload/raw HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
  'chunks with an extension and trailers':
    `POST /upload/raw HTTP/1.1\r\n${HOST}${CLOSE}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
  'a body that nobody asked for': `GET /answers/text HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 3\r\n\r\nabc`,
};

module.exports = step => {
  for (const [name, bytes] of Object.entries(ODD)) step(`an odd request: ${name}`, /HTTP\/1\.1 \d\d\d/, shop => shop.say(bytes));
};
