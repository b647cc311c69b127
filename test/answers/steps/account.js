'use strict';

// Sessions, cookies and the guard against forged requests. Two workers answer in turn, so nothing of this may live in one of them.

async function login(shop, body = { name: 'Ada' }) {
  const visitor = shop.visitor();
  const page = await visitor.get('/');
  return { visitor, answers: [page, await visitor.post('/account/login', body)] };
}

module.exports = step => {
  step('a page for customers, to a stranger', 401, shop => shop.get('/account', { Accept: 'application/json' }));
  step('a login without a token', 403, shop => shop.post('/account/login', { name: 'Ada' }, { Accept: 'application/json' }));
  step('a login with a forged token', 403, shop => (
    shop.post('/account/login', { name: 'Ada' }, { 'Cookie': 'csrfToken=right', 'X-CSRF-Token': 'wrong', 'Accept': 'application/json' })));
  step('a login without a name', [200, 400], async shop => (await login(shop, {})).answers);
  step('a login by a form', [200, 200], async shop => {
    const visitor = shop.visitor();
    const page = await visitor.get('/');
    const [, action] = /action="([^"]+)"/.exec(page.body);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return [page, await visitor.request({ method: 'POST', path: action, body: 'name=Ada+L.&remember=1', headers })];
  });
  step('a visit from login to logout', [200, 200, 200, 200, 200, 200, 200, 302, 401], async shop => {
    const { visitor, answers } = await login(shop);
    answers.push(await visitor.get('/account'));
    for (const product of [1, 3, 2]) answers.push(await visitor.post('/account/cart', { product }));
    answers.push(await visitor.get('/account'));
    answers.push(await visitor.post('/account/logout'));
    answers.push(await visitor.get('/account', { Accept: 'application/json' }));
    return answers;
  });
  step('a visit whose session was tampered with', [200, 200, 401], async shop => {
    const { visitor, answers } = await login(shop);
    visitor.cookies.set('SHOP_SESS', visitor.cookies.get('SHOP_SESS').replace(/^../, 'zz'));
    return [...answers, await visitor.get('/account', { Accept: 'application/json' })];
  });
  step('cookies, and what comes back of them', [200, 200], async shop => {
    const visitor = shop.visitor();
    return [await visitor.get('/account/cookies/set'), await visitor.get('/account/cookies')];
  });
  step('cookies with a broken seal', [200, 200], async shop => {
    const visitor = shop.visitor();
    const given = await visitor.get('/account/cookies/set');
    visitor.cookies.set('signed', 'without a seal');
    visitor.cookies.set('secret', 'bm9ib2R5');
    return [given, await visitor.get('/account/cookies')];
  });
};
