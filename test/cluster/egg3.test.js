'use strict';

require('./shared')('egg 3', 'an egg 3 app from npm');
