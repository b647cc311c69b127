'use strict';

require('./shared')('embedded', 'a folder with nothing but app.js and agent.js');
