'use strict';

// The binding's contract and the JavaScript in front of it, in one process. The cluster as processes is mocha's, in test/.
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/__test__'],
  testMatch: ['**/*.spec.js'],
  // The code runs as it is written: a transform would hide a syntax that the oldest supported Node does not know.
  transform: {},
  errorOnDeprecated: true,
};
