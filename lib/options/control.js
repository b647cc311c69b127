'use strict';

// options.control and options.admin: where the cluster can be seen and steered from outside.

const net = require('net');
const path = require('path');

const { bad, isPlainObject, MAX_PORT } = require('./checks');

/** Below baseDir: where egg keeps what belongs to a run. */
const DEFAULT_PATH = path.join('run', 'clutch.sock');
const DEFAULT_HOST = '127.0.0.1';
const ADMIN_FIELDS = ['port', 'host', 'hosts'];

function checkControl(control) {
  if (control === undefined || control === false) return;
  if (typeof control !== 'string' || control === '' || control.includes('\0')) {
    throw bad('options.control', control, 'the path of a socket, or false');
  }
}

function isHostName(name) {
  return typeof name === 'string' && /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(name);
}

function checkAdmin(admin) {
  if (admin === undefined || admin === false) return;
  const allowed = 'false or an object with port, host, hosts';
  if (!isPlainObject(admin)) throw bad('options.admin', admin, allowed);
  if (Object.keys(admin).some(name => !ADMIN_FIELDS.includes(name))) throw bad('options.admin', admin, allowed);
  const { port, host, hosts } = admin;
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw bad('options.admin.port', port, `a TCP port from 1 to ${MAX_PORT}, or 0 for any that is free`);
  }
  if (host !== undefined && host !== null && host !== 'localhost' && (typeof host !== 'string' || !net.isIP(host))) {
    throw bad('options.admin.host', host, "an IP address, or 'localhost'");
  }
  if (hosts !== undefined && hosts !== null && !(Array.isArray(hosts) && hosts.every(isHostName))) {
    throw bad('options.admin.hosts', hosts, 'an array of host names without ports');
  }
}

/** Throws ERR_CLUTCH_OPTION for a value that is not allowed. */
function checkControls({ control, admin }) {
  checkControl(control);
  checkAdmin(admin);
}

/**
 * Where the control socket is; undefined for none. A relative path is one below baseDir.
 * @param {{ baseDir: string, control?: string | false }} options parsed
 */
function controlPath({ baseDir, control }) {
  return control === false ? undefined : path.resolve(baseDir, control ?? DEFAULT_PATH);
}

/** What the binding takes; an `admin` that is undefined is none. */
function controlOptions(options) {
  const { control, admin } = options;
  const { port, host, hosts } = admin || {};
  return {
    controlPath: controlPath(options),
    controlIsDefault: control === undefined,
    admin: admin ? { port, host: !host || host === 'localhost' ? DEFAULT_HOST : host, hosts: hosts ?? [] } : undefined,
  };
}

module.exports = { checkControls, controlOptions, controlPath };
