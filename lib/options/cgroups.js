'use strict';

// Which cgroups limit this process, for each controller, in version 1 and 2. Pure over a file reader, so that every kind of container
// can be played in a test. Linux only: elsewhere the reader finds no file, and nothing limits.
// Files: cgroups(7), proc_pid_mountinfo(5), and the kernel's cgroup-v2 document.

const fs = require('fs');
const path = require('path').posix;

function readFile(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function unescapeMount(text) {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mounts of cgroup hierarchies that can hold limits of this controller. */
function parseMounts(mountinfo, controller) {
  const mounts = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [, , , root, point] = before.split(' ');
    const [type, , superOptions = ''] = after.split(' ');
    if (type === 'cgroup2') mounts.push({ version: 2, root: unescapeMount(root), point: unescapeMount(point) });
    else if (type === 'cgroup' && superOptions.split(',').includes(controller)) {
      mounts.push({ version: 1, root: unescapeMount(root), point: unescapeMount(point) });
    }
  }
  return mounts;
}

/** Our own path in the unified hierarchy (v2) and in the one of the controller (v1). */
function parseOwnGroups(text, controller) {
  const groups = {};
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    if (match[1] === '') groups[2] = match[2];
    else if (match[1].split(',').includes(controller)) groups[1] = match[2];
  }
  return groups;
}

/** From our own group up to the top of what is mounted: a limit counts wherever above us it is set. */
function foldersUpwards({ root, point }, group) {
  let below = group;
  if (root !== '/' && (group === root || group.startsWith(`${root}/`))) below = group.slice(root.length);
  // A group outside of our cgroup namespace is shown with `..`; what we can see then starts at the mount.
  if (below.split('/').includes('..')) below = '/';
  const folders = [];
  for (let dir = path.join('/', below); ; dir = path.dirname(dir)) {
    folders.push(path.join(point, dir));
    if (dir === '/') return folders;
  }
}

/**
 * @param {string} controller `cpu` or `memory`
 * @param {(file: string) => string | null} [read]
 * @returns {Array<{ version: 1 | 2, folder: string }>} the cgroups that we are in, our own before those above it
 */
function ownCgroups(controller, read = readFile) {
  const groups = parseOwnGroups(read('/proc/self/cgroup') ?? '', controller);
  return parseMounts(read('/proc/self/mountinfo') ?? '', controller)
    .filter(({ version }) => groups[version] !== undefined)
    .flatMap(mount => foldersUpwards(mount, groups[mount.version]).map(folder => ({ version: mount.version, folder })));
}

module.exports = { ownCgroups, readFile };
