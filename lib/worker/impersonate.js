'use strict';

const net = require('net');

/**
 * Has a connection show its client where the other end is a proxy, who has said for whom it speaks.
 * @param {object} handle Node's own of the connection
 * @param {{ address: string, port: number }} client
 */
function impersonate(handle, { address, port }) {
  handle.getpeername = out => {
    Object.assign(out, { address, port, family: net.isIPv6(address) ? 'IPv6' : 'IPv4' });
    return 0;
  };
}

module.exports = { impersonate };
