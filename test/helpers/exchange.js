'use strict';
// One HTTP request, and everything that its sender can see of the answer, in the order in which it came.

const http = require('node:http');
const { createHash } = require('node:crypto');

const WATCHDOG_MS = 40000;
const LONGEST_TEXT_BYTES = 64 * 1024;

function lines(rawHeaders) {
  const found = [];
  for (let index = 0; index < rawHeaders.length; index += 2) found.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  return found;
}

/** Text as it is; what is no text, or too long to be compared by eye, by its sum. */
function readable(bytes) {
  const text = bytes.toString();
  if (bytes.length <= LONGEST_TEXT_BYTES && Buffer.from(text).equals(bytes)) return text;
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function read(response, answer) {
  const chunks = [];
  answer.status = response.statusCode;
  answer.reason = response.statusMessage;
  answer.version = response.httpVersion;
  answer.headers = lines(response.rawHeaders);
  response.on('data', chunk => chunks.push(chunk));
  response.on('error', error => answer.events.push(`response error ${error.code}`));
  response.on('end', () => answer.events.push('response end'));
  response.on('close', () => {
    answer.body = readable(Buffer.concat(chunks));
    answer.trailers = lines(response.rawTrailers);
    answer.complete = response.complete;
  });
}

/**
 * `options` are those of http.request and `body`; with `expectContinue` the body waits for the server's word.
 * Resolves, and never rejects but by its watchdog, to { events, status, reason, version, headers, body, trailers, complete };
 * `headers` are lines in the order of the wire.
 */
function exchange({ body, expectContinue = false, ...options }) {
  return new Promise((resolve, reject) => {
    const answer = { events: [] };
    const sent = http.request({ host: '127.0.0.1', agent: false, ...options });
    const watchdog = setTimeout(() => {
      sent.destroy();
      reject(new Error(`no answer to ${options.method} ${options.path} within ${WATCHDOG_MS} ms: ${JSON.stringify(answer)}`));
    }, WATCHDOG_MS);
    sent.on('continue', () => {
      answer.events.push('continue');
      sent.end(body);
    });
    sent.on('information', ({ statusCode, rawHeaders }) => {
      answer.events.push(['information', statusCode, ...lines(rawHeaders)].join(' '));
    });
    sent.on('response', response => {
      answer.events.push('response');
      read(response, answer);
    });
    sent.on('error', error => answer.events.push(`request error ${error.code}`));
    sent.on('close', () => {
      clearTimeout(watchdog);
      resolve(answer);
    });
    if (expectContinue) sent.flushHeaders();
    else sent.end(body);
  });
}

module.exports = { exchange };
