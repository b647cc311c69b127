'use strict';

// The embedded framework: what runs a folder with app.js and/or agent.js where no egg is installed. Only its two classes leave.

const { Application } = require('./application');
const { Agent } = require('./agent');

module.exports = { Application, Agent };
