'use strict';

// What every subject serves: a few bytes, and at /pid who answers.

const pid = String(process.pid);

module.exports = (request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.end(request.url === '/pid' ? pid : 'hello');
};
