'use strict';

require('egg-clutch').startCluster({ baseDir: __dirname, port: 7001, workers: 2 });
