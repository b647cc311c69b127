'use strict';

require('./shared')('egg 4', 'an egg 4 app from npm, written as ES modules');
