'use strict';

const { RUNS_EGG_4 } = require('../cluster/shared/subject');

if (RUNS_EGG_4) describe('an egg 4 shop on stock and on ours', () => require('./suite')('egg4'));
