'use strict';

// The folder that the process was in when this package was loaded. The front door loads this file at once, everything else later:
// who changes or mocks process.cwd() in between (tests do) still has frameworks looked for where it started.

function cwd() {
  try {
    return process.cwd();
  } catch {
    return null; // that folder has been removed
  }
}

module.exports = cwd();
