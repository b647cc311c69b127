'use strict';

const assert = require('node:assert/strict');
const { createRequire } = require('node:module');
const path = require('node:path');
const { installedApp } = require('../helpers/installed_app');
const { RUNS_EGG_4 } = require('./shared/subject');

if (RUNS_EGG_4) {
  require('./shared')('egg 4', 'an egg 4 app from npm, written as ES modules');
} else {
  describe('egg 4 on this Node', () => {
    it('cannot start on any cluster layer, because the undici that it brings cannot be loaded', async function () {
      this.timeout(300000);
      const { baseDir } = await installedApp('egg4');
      const load = createRequire(path.join(baseDir, 'package.json'));
      assert.throws(() => load('undici'), { name: 'ReferenceError', message: 'File is not defined' });
    });
  });
}
