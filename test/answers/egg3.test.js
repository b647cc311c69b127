'use strict';

describe('an egg 3 shop on stock and on ours', () => require('./suite')('egg3'));
