'use strict';

// One process; with FD it listens on that descriptor.

const http = require('node:http');

const server = http.createServer(require('./handle'));
server.listen(process.env.FD ? { fd: Number(process.env.FD) } : { port: Number(process.env.PORT) }, () => console.log('ready'));
