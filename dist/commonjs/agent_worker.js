'use strict';

// Where @eggjs/cluster has this script: `stop` of egg 4's tools knows workers by this path in their command lines.
require('../../lib/agent_worker');
