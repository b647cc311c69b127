'use strict';

module.exports = {
  require: ['test/helpers/hooks.js'],
  // Tests of apps that are themselves tested.
  ignore: ['test/fixtures/**'],
  // The watchdog of a test; waits inside a test have shorter ones that say what did not happen.
  timeout: 120000,
  slow: 5000,
  forbidOnly: true,
  forbidPending: true,
};
