'use strict';
// The messenger in a process that no master started: it must neither keep it alive nor write into its channel.

const assert = require('node:assert');
const path = require('node:path');
const { fork } = require('node:child_process');
const { tree, removeAll } = require('./frameworks');

const MESSENGER = path.join(__dirname, '..', '..', 'lib', 'messenger.js');
const TRANSPORTS = path.join(__dirname, '..', '..', 'lib', 'messenger', 'transports.js');

function run(code) {
  const file = path.join(tree({ 'script.js': `const { processMessenger } = require(${JSON.stringify(MESSENGER)});\n${code}` }), 'script.js');
  return new Promise((resolve, reject) => {
    const messages = [];
    const child = fork(file, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { output += text; });
    const watchdog = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the process does not end\n${output}`));
    }, 20000);
    child.on('message', message => messages.push(message));
    child.on('close', code => {
      clearTimeout(watchdog);
      resolve({ code, messages, output });
    });
  });
}

describe('the messenger in a process with a channel to some parent', () => {
  after(removeAll);

  it('lets the process end that only has it', async () => {
    assert.deepStrictEqual(await run('processMessenger();'), { code: 0, messages: [], output: '' });
  });

  it('sends nothing and keeps nothing alive when it is used', async () => {
    const code = `const messenger = processMessenger();
      messenger.on('a', () => {}).sendToApp('a', 1).sendToAgent('a').sendRandom('a').sendTo(1, 'a').broadcast('a').send('a');`;
    assert.deepStrictEqual(await run(code), { code: 0, messages: [], output: '' });
  });

  it('of a worker survives that its channel closes', async () => {
    const code = `require(${JSON.stringify(TRANSPORTS)}).becomeWorker('agent');
      const messenger = processMessenger().on('a', () => {});
      process.once('disconnect', () => { messenger.sendToApp('late', 1); setImmediate(() => console.log('still here')); });
      messenger.send('first', 1, 'master');
      process.disconnect();
      messenger.sendToApp('second', 1);`;
    const { code: exit, messages, output } = await run(code);
    assert.deepStrictEqual([exit, messages.map(({ action }) => action), output], [0, ['first'], 'still here\n']);
  });
});
