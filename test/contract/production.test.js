'use strict';

// Which clusters count as those of production. Each start fails, so that it ends with the first worker.

const assert = require('node:assert/strict');
const { scenario } = require('./contract');

for (const [env, nodeEnv, isProduction] of [
  ['default', 'test', true], ['pre', 'development', true], ['unittest', 'production', false], ['local', 'production', false],
  [undefined, 'production', true], [undefined, 'test', false],
]) {
  scenario(`a start with ${env ? `env ${env}` : 'no env'} and NODE_ENV=${nodeEnv}`, {
    async start(subject) {
      const cluster = await subject.start({ env }, {
        fault: { role: 'agent', how: 'exit' },
        // The line is one of DEBUG in some of them.
        env: { NODE_ENV: nodeEnv, EGG_MASTER_LOGGER_LEVEL: 'DEBUG', EGG_SERVER_ENV: '' },
      });
      await cluster.exit();
      return cluster;
    },
  }, line => {
    line('2.20', ({ stdout }) => {
      assert.match(stdout, new RegExp(String.raw`\[master\] start with env: isProduction: ${isProduction}, `));
      // Over several lines in production.
      assert.match(stdout, isProduction ? /\[master\] start with options:\n\{\n/ : /\[master\] start with options: \{/);
    });
  });
}
