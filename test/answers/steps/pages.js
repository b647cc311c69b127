'use strict';

// Pages, redirects, languages, JSONP, HEAD and OPTIONS, and pages of errors.

module.exports = step => {
  step('GET /, a rendered page', /<h1>Hello, you!<\/h1>/, shop => shop.get('/'));
  step('GET / with a name to be escaped', /Hello, &lt;b&gt;!/, shop => shop.get('/?name=%3Cb%3E'));
  step('HEAD /', 200, shop => shop.request({ method: 'HEAD', path: '/' }));
  step('HEAD of a page that does not exist', 404, shop => shop.request({ method: 'HEAD', path: '/nowhere' }));
  for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH']) {
    step(`${method} /`, /"status":(404|403|405)/, shop => shop.request({ method, path: '/' }));
  }

  step('a text in the language that is asked for', /Grüß Gott, Ada!/, shop => shop.get('/greet/Ada?locale=de'));
  step('a text in the language that is preferred', /Grüß Gott, Ada!/, shop => shop.get('/greet/Ada', { 'Accept-Language': 'fr, de;q=0.8' }));
  step('a text in the language of the visit before', [200, 200], async shop => {
    const visitor = shop.visitor();
    return [await visitor.get('/greet/Ada?locale=de'), await visitor.get('/greet/Ada')];
  });
  step('a parameter with escapes', /\/ä/, shop => shop.get(`/greet/${encodeURIComponent('/ä %')}`));
  step('a parameter with a broken escape', 200, shop => shop.get('/greet/%E0%A4%A'));
  step('a route by a pattern', /"1":"42"/, shop => shop.get('/any/thing-42'));

  step('GET /start, which leads elsewhere', 302, shop => shop.get('/start'));
  step('a redirect for good', 301, shop => shop.get('/moved/for-good'));
  step('a redirect back', 302, shop => shop.get('/moved/back', { Referer: '/greet/Ada' }));
  step('a redirect back from nowhere', 302, shop => shop.get('/moved/back', { Accept: 'text/html' }));
  step('a redirect to another host', 302, shop => shop.get('/moved/to-a-friend'));
  step('a redirect to a host that is not known', 302, shop => shop.get('/moved/to-a-stranger'));

  step('JSONP', /take\(\{/, shop => shop.get('/jsonp?callback=take'));
  step('JSONP without a callback', 200, shop => shop.get('/jsonp'));
  step('JSONP with a callback that is none', 200, shop => shop.get('/jsonp?callback=alert(1)'));

  step('a page behind a middleware of its own', 503, shop => shop.get('/private/cellar'));
  step('a page that does not exist, as HTML', 404, shop => shop.get('/nowhere', { Accept: 'text/html' }));
  step('a page that does not exist, as JSON', 404, shop => shop.get('/nowhere', { Accept: 'application/json' }));
  for (const how of ['thrown', 'status', 'no-error', 'later', 'in-json']) {
    for (const accept of ['text/html', 'application/json', 'text/plain']) {
      step(`an error: ${how}, as ${accept}`, /"status":(500|418|502)/, shop => shop.get(`/answers/error/${how}`, { Accept: accept }));
    }
  }
  step('an error as JSONP', 500, shop => shop.get('/answers/error/thrown?callback=take', { Accept: 'application/javascript' }));
};
