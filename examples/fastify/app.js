'use strict';

const web = require('fastify')();

web.get('/', async () => `fastify in process ${process.pid}\n`);

module.exports = app => {
  app.callback = web;
};
