'use strict';

// What the browser can ask of a worker. Every answer but the event stream closes its connection, so that the next
// request is dealt to a worker anew: browsers would otherwise stay with the first one.

const fs = require('node:fs');
const path = require('node:path');
const makeActions = require('./actions');
const Refusal = require('./refusal');

const BODY_LIMIT = 4096; // bytes
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.mjs': 'text/javascript' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @returns {(ctx: import('koa').Context) => Promise<void>} koa middleware */
module.exports = function routes({ messenger, me, view, audience, logger }) {
  const files = readPage(path.join(__dirname, 'page'));
  const actions = makeActions({ messenger, me, view });

  async function answer(ctx) {
    const file = files.get(ctx.path);
    const action = Object.hasOwn(actions, ctx.path) ? actions[ctx.path] : undefined;
    allow(ctx, action ? ['POST'] : ['GET', 'HEAD']);
    if (action) {
      ctx.body = action(await readJson(ctx));
      ctx.status = 202;
    } else if (file) {
      ctx.type = file.type;
      ctx.body = file.text;
    } else if (ctx.path === '/whoami') {
      ctx.body = me;
    } else if (ctx.path === '/events') {
      openEvents(ctx);
    } else {
      throw new Refusal(404, 'There is nothing here.');
    }
  }

  function openEvents(ctx) {
    if (audience.full) throw new Refusal(503, 'This worker takes no more pages.');
    ctx.req.socket.setTimeout(0);
    ctx.type = 'text/event-stream';
    ctx.status = 200;
    // Koa would log a page that leaves as an error of the stream.
    ctx.respond = false;
    audience.seat(ctx.res, 'hello', { me, now: Date.now(), ...view.snapshot() });
  }

  return async ctx => {
    ctx.set({
      connection: 'close',
      'cache-control': 'no-store',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    try {
      await answer(ctx);
    } catch (error) {
      const refused = error instanceof Refusal;
      if (!refused) logger.error(error);
      ctx.status = refused ? error.status : 500;
      ctx.type = 'text/plain';
      ctx.body = `${refused ? error.message : 'Something went wrong; the log says what.'}\n`;
    }
  };
};

function allow(ctx, methods) {
  if (methods.includes(ctx.method)) return;
  ctx.set('allow', methods.join(', '));
  throw new Refusal(405, `Use ${methods.join(' or ')}.`);
}

/** The page, read once: the files are few and small. */
function readPage(directory) {
  const files = new Map();
  for (const name of fs.readdirSync(directory)) {
    const file = { type: TYPES[path.extname(name)], text: fs.readFileSync(path.join(directory, name), 'utf8') };
    if (file.type) files.set(name === 'index.html' ? '/' : `/${name}`, file);
  }
  return files;
}

/**
 * Only `application/json` is taken: a form on a foreign page cannot send that, so it cannot press our buttons.
 */
async function readJson(ctx) {
  if (!ctx.is('application/json')) throw new Refusal(400, 'Send JSON, with content-type: application/json.');
  const chunks = [];
  let size = 0;
  for await (const chunk of ctx.req) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Refusal(400, `The request is too long; the limit is ${BODY_LIMIT} bytes.`);
    chunks.push(chunk);
  }
  let value;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Refusal(400, 'That is not JSON.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Refusal(400, 'Send a JSON object.');
  return value;
}
