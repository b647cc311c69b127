'use strict';

// REST resources whose state is the agent's, and what is wrong with them as JSON.

const path = '/api/products';

module.exports = step => {
  step('GET /api/products', 200, shop => shop.get(path));
  step('GET /api/products, the next page', 200, shop => shop.get(`${path}?start=3&limit=1`));
  step('GET /api/products, filtered by a name with an umlaut', /"total":1/, shop => shop.get(`${path}?like=${encodeURIComponent('KÄ')}`));
  step('GET /api/products/:id', 200, shop => shop.get(`${path}/3`));
  step('GET /api/products/new', 200, shop => shop.get(`${path}/new`));
  step('GET of a product that does not exist', 404, shop => shop.get(`${path}/99`, { Accept: 'application/json' }));
  step('GET of a product that does not exist, as a page', 404, shop => shop.get(`${path}/99`, { Accept: 'text/html' }));

  step('POST, GET and DELETE of a product', [201, 200, 200, 204, 404], async shop => {
    const made = await shop.post(path, { name: 'Mop', price: 1250 });
    const { id } = JSON.parse(made.body);
    const seen = await shop.get(`${path}/${id}`);
    const changed = await shop.request({ method: 'PUT', path: `${path}/${id}`, json: { price: 1300 } });
    const gone = await shop.request({ method: 'DELETE', path: `${path}/${id}` });
    return [made, seen, changed, gone, await shop.get(`${path}/${id}`, { Accept: 'application/json' })];
  });
  step('PATCH of a product', 200, shop => shop.request({ method: 'PATCH', path: `${path}/1`, json: { name: 'Green tea' } }));
  step('POST with another method in its body', 204, shop => (
    shop.request({ method: 'POST', path: `${path}/4`, body: '_method=DELETE',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })));

  step('POST of a product with two faults', 422, shop => shop.post(path, { name: '', price: 'much' }, { Accept: 'application/json' }));
  step('PUT of a field that is not known', 422, shop => (
    shop.request({ method: 'PUT', path: `${path}/1`, json: { colour: 'red' }, headers: { Accept: 'application/json' } })));
  step('POST of broken JSON', 400, shop => (
    shop.request({ method: 'POST', path, body: '{"name": ', headers: { 'Content-Type': 'application/json', 'Accept': 'application/json' } })));
  step('POST of JSON that is too large', 413, shop => shop.post(path, { name: 'x'.repeat(70000) }, { Accept: 'application/json' }));
  step('POST of a form', 422, shop => (
    shop.request({ method: 'POST', path, body: 'name=Rope&price=5',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Accept': 'application/json' } })));
  step('DELETE of the whole list, which has no route', 404, shop => shop.request({ method: 'DELETE', path }));
};
