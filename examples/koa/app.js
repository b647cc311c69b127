'use strict';

const Koa = require('koa');

const web = new Koa();
web.use(ctx => { ctx.body = `koa in process ${process.pid}\n`; });

module.exports = app => {
  app.callback = web;
};
