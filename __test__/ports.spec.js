'use strict';

const net = require('net');

const { findFreePort, ownAddress } = require('../lib/ports');

function listen(port, host) {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

/** Plays a machine: `inUse(port, host)` says where somebody listens. */
function machine(ports, inUse) {
  const asked = [];
  const tryListen = async (port, host) => {
    if (port === 0) return ports.shift();
    asked.push([port, host]);
    if (inUse(port, host)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
    return port;
  };
  return { asked, tryListen };
}

describe('findFreePort', () => {
  test('gives a port that can be listened on at once', async () => {
    const port = await findFreePort();
    const server = await listen(port, '127.0.0.1');
    expect(server.address().port).toBe(port);
    await new Promise(resolve => server.close(resolve));
  });

  describe('while a client connects to the port that is tried, and stays', () => {
    let client;

    beforeEach(() => {
      const { close } = net.Server.prototype;
      jest.spyOn(net.Server.prototype, 'close').mockImplementationOnce(function (done) {
        client = net.connect(this.address().port, '127.0.0.1').on('error', () => {});
        this.once('connection', () => close.call(this, done));
      });
    });
    afterEach(() => {
      client.destroy();
      jest.restoreAllMocks();
    });

    test('is not held up', async () => {
      expect(await findFreePort()).toBeGreaterThan(0);
    });
  });

  test.each(['0.0.0.0', '127.0.0.1', 'localhost'])('passes over a port that is taken on %s only', async host => {
    const { tryListen } = machine([4001, 4002], (port, where) => port === 4001 && where === host);
    expect(await findFreePort({ listen: tryListen })).toBe(4002);
  });

  test("asks the machine's own address too, where it has one", async () => {
    const { asked, tryListen } = machine([4001], () => false);
    await findFreePort({ listen: tryListen });
    const own = ownAddress();
    expect(asked.map(([, host]) => host)).toEqual(['0.0.0.0', '127.0.0.1', 'localhost', ...(own ? [own] : [])]);
  });

  test('passes over ports that are about to be used', async () => {
    const { tryListen } = machine([4001, 4002, 4003], () => false);
    expect(await findFreePort({ listen: tryListen, except: [4001, undefined, 4002] })).toBe(4003);
  });

  test.each(['EADDRNOTAVAIL', 'ENOTFOUND'])('does not mind a name that is not of this machine (%s)', async code => {
    const tryListen = async (port, host) => {
      if (host === 'localhost') throw Object.assign(new Error(code), { code });
      return port || 4001;
    };
    expect(await findFreePort({ listen: tryListen })).toBe(4001);
  });

  test('says why there is none', async () => {
    const cause = Object.assign(new Error('listen EMFILE: too many open files'), { code: 'EMFILE' });
    const failing = { purpose: 'stickyWorkerPort', listen: async () => { throw cause; } };
    await expect(findFreePort(failing)).rejects.toMatchObject({
      code: 'ERR_CLUTCH_LISTEN', message: expect.stringMatching(/^no free TCP port was found for stickyWorkerPort: .*EMFILE/), cause,
    });
  });

  test('gives up after a number of ports', async () => {
    const { tryListen } = machine(Array.from({ length: 1000 }, (_, i) => 4000 + i), () => true);
    await expect(findFreePort({ listen: tryListen })).rejects.toMatchObject({
      code: 'ERR_CLUTCH_LISTEN', message: expect.stringContaining('64 ports were tried'),
    });
  });
});

test('ownAddress is the first IPv4 address that is not internal', () => {
  expect(ownAddress({
    lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true }],
    eth0: [{ address: 'fe80::1', family: 'IPv6', internal: false }, { address: '10.1.2.3', family: 'IPv4', internal: false }],
  })).toBe('10.1.2.3');
  expect(ownAddress({})).toBe(null);
});
