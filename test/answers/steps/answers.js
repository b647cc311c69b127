'use strict';

// What an answer may be made of: bodies of every kind, headers, conditions, static files and ranges.

const zlib = require('node:zlib');

module.exports = step => {
  step('what the app sees of a request', /"remoteAddress/, shop => shop.get('/echo?a=1&a=2&b[c]=d&e=%C3%BC', {
    'X-Forwarded-For': '10.0.0.1, 10.0.0.2', 'x-lower': 'one', 'X-Many': ['1', '2'], 'Accept': 'text/html, */*;q=0.1',
    'Cookie': 'a=b', 'User-Agent': 'a test',
  }));
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    step(`what the app sees of a ${method} with a body`, 200, shop => shop.request({ method, path: '/echo', json: { a: ['ü', null, 1.5] } }));
  }
  step('a body that is compressed', /said small/, shop => (
    shop.request({ method: 'POST', path: '/echo', body: zlib.gzipSync('{"said":"said small"}'),
      headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' } })));
  step('a body of text', 200, shop => (
    shop.request({ method: 'POST', path: '/echo', body: 'plain words', headers: { 'Content-Type': 'text/plain' } })));
  step('a body in a charset that nobody knows', 200, shop => (
    shop.request({ method: 'POST', path: '/echo', body: '{}', headers: { 'Content-Type': 'application/json; charset=klingon' } })));

  step('text', 200, shop => shop.get('/answers/text'));
  step('bytes', 200, shop => shop.get('/answers/bytes'));
  step('nothing', 204, shop => shop.get('/answers/nothing'));
  step('a status, a reason and headers of its own', 299, shop => shop.get('/answers/odd'));
  step('8 MiB', 200, shop => shop.get('/answers/large'));
  step('HEAD of 8 MiB', 200, shop => shop.request({ method: 'HEAD', path: '/answers/large' }));

  step('an answer that is not fresh', 200, shop => shop.get('/answers/fresh', { 'If-None-Match': '"another"' }));
  step('an answer that is fresh by its tag', 304, shop => shop.get('/answers/fresh', { 'If-None-Match': 'W/"x", "the-first-edition"' }));
  step('an answer that is fresh by its time', 304, shop => (
    shop.get('/answers/fresh', { 'If-Modified-Since': 'Wed, 21 Oct 2015 07:28:00 GMT' })));

  step('a static file', 200, shop => shop.get('/public/digits.txt'));
  step('HEAD of a static file', 200, shop => shop.request({ method: 'HEAD', path: '/public/digits.txt' }));
  step('a static file, compressed', /content-encoding: gzip/i, shop => shop.get('/public/shop.css', { 'Accept-Encoding': 'gzip, br' }));
  step('a static file that is still the same', [200, 304], async shop => {
    const first = await shop.get('/public/shop.css');
    const time = first.headers.find(header => /^last-modified/i.test(header)).replace(/^[^:]+: /, '');
    return [first, await shop.get('/public/shop.css', { 'If-Modified-Since': time })];
  });
  for (const range of ['bytes=0-9', 'bytes=90-', 'bytes=-5', 'bytes=500-600', 'bytes=5-1', 'bytes=0-1,3-4', 'lines=1-2']) {
    step(`a static file, of which ${range}`, /"status":(200|206|416)/, shop => shop.get('/public/digits.txt', { Range: range }));
  }
  step('a static file outside of its folder', 400, shop => shop.get('/public/..%2f..%2fpackage.json'));
  step('a static file that is not there', 404, shop => shop.get('/public/none.txt'));
  step('POST to a static file', 403, shop => shop.post('/public/digits.txt', {}));
  step('the icon', 200, shop => shop.get('/favicon.ico'));
  step('a download', /Content-Disposition: attachment/i, shop => shop.get('/files/digits.txt?as=n%C3%BCmbers.txt'));
  step('a download that does not exist', 404, shop => shop.get('/files/none.txt'));
};
