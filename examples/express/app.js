'use strict';

const express = require('express');

const web = express();
web.get('/', (req, res) => res.send(`express in process ${process.pid}\n`));

module.exports = app => {
  app.callback = web;
};
