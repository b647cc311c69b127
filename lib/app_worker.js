'use strict';

// What an app worker process runs: `node app_worker.js <options as JSON>`. Constructs the framework's Application, and when it
// is ready serves it. The master learns of the listening by Node's own cluster protocol.

const { bootWorker } = require('./worker/boot');
const { readAddress, realPort, serve } = require('./worker/app_server');
const { PACKAGE_DIR } = require('./flavour');

bootWorker({
  exportName: 'Application',
  label: 'app_worker',
  logLevel: process.env.EGG_APP_WORKER_LOGGER_LEVEL,
  script: __filename,
  constructed: watchStart,
});

function watchStart(app, context) {
  const { options, logger, send, terminate } = context;
  // egg 2 and 3 settle the port while they are constructed; egg 4 and the embedded framework may still be loading config.
  const early = context.flavour === 2 && options.framework !== PACKAGE_DIR;
  let address = early ? settleAddress() : null;

  function settleAddress() {
    const settled = readAddress(app, options);
    send(realPort(settled));
    return settled;
  }

  function fail(error) {
    logger.error(error);
    logger.error('[app_worker] start error, exiting with code:1');
    terminate();
  }

  function giveUp() {
    logger.error('[app_worker] start timeout, exiting with code:1');
    terminate();
  }

  app.once('startTimeout', giveUp);
  app.ready(error => {
    if (error) {
      fail(error);
      return;
    }
    app.removeListener('startTimeout', giveUp);
    try {
      address ??= settleAddress();
      serve(app, address, context);
    } catch (failure) {
      // A key file that cannot be read, a callback() that throws: the app cannot serve, and says so like any failed start.
      fail(failure);
    }
  });
}
