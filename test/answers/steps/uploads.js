'use strict';

// Files and large bodies on their way in.

const BOUNDARY = '----a-boundary';

function form(parts) {
  const chunks = parts.map(({ name, filename, type, content }) => [
    `--${BOUNDARY}`,
    `Content-Disposition: form-data; name="${name}"${filename ? `; filename="${filename}"` : ''}`,
    ...type ? [`Content-Type: ${type}`] : [],
    '',
    content,
  ].join('\r\n'));
  return Buffer.from(`${chunks.join('\r\n')}\r\n--${BOUNDARY}--\r\n`);
}

function upload(shop, path, parts) {
  const headers = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'Accept': 'application/json' };
  return shop.request({ method: 'POST', path, body: form(parts), headers });
}

const FIELD = { name: 'colour', content: 'grün' };
const FILE = { name: 'list', filename: 'a list.txt', type: 'text/plain', content: 'x'.repeat(9000) };

module.exports = step => {
  for (const way of ['stream', 'file']) {
    const path = `/upload/${way}`;
    const parts = [FIELD, { ...FILE, filename: 'a.dat' }, { ...FILE, name: 'picture', filename: 'b.png', type: 'image/png', content: '\x89PNG' }];
    step(`two files and a field, as ${way}`, 200, shop => upload(shop, path, parts));
    step(`a file of a kind that is not taken, as ${way}`, 400, shop => upload(shop, path, [FILE]));
    step(`a file that is too large, as ${way}`, 413, shop => upload(shop, path, [{ ...FILE, filename: 'a.dat', content: 'x'.repeat(70000) }]));
    step(`a form without an end, as ${way}`, /"status":(400|500)/, shop => (
      shop.request({ method: 'POST', path, body: form(parts).subarray(0, 300),
        headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'Accept': 'application/json' } })));
  }
  step('4 MiB with a length', /"bytes":4194304/, shop => shop.request({ method: 'POST', path: '/upload/raw', body: Buffer.alloc(4 << 20, 'abc') }));
  step('4 MiB in chunks', /"bytes":4194304/, shop => (
    shop.request({ method: 'POST', path: '/upload/raw', body: Buffer.alloc(4 << 20, 'abc'), headers: { 'Transfer-Encoding': 'chunked' } })));
  step('a body that waits for 100 Continue', /"continue",.*"response"/, shop => (
    shop.request({ method: 'POST', path: '/upload/raw', body: 'at last', expectContinue: true, headers: { Expect: '100-continue' } })));
  step('an expectation that nobody meets', 417, shop => shop.get('/', { Expect: 'a miracle' }));
};
