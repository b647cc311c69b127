'use strict';

// Who takes part in the cluster, as the master tells it.

class Members {
  #roles = new Map();
  #watchers = new Set();

  /** False until the master has told anything. */
  isKnown = false;
  /** Whether all processes of the cluster have been started once: until then somebody who is not there may still come. */
  isComplete = false;

  /** @param {Map<string, string>} roles by pid */
  set(roles, isComplete) {
    const before = this.#roles;
    this.#roles = new Map(roles);
    this.isKnown = true;
    this.isComplete = isComplete;
    const gone = [...before.keys()].filter(pid => !this.#roles.has(pid));
    for (const watcher of [...this.#watchers]) watcher(gone);
  }

  /** @param {(gone: string[]) => void} watcher called when the master has told something, with the pids of those that have left */
  watch(watcher) {
    this.#watchers.add(watcher);
  }

  has(pid) {
    return this.#roles.has(pid);
  }

  roleOf(pid) {
    return this.#roles.get(pid);
  }

  /** The pids of those with one of these roles. */
  withRole(...roles) {
    return [...this.#roles].filter(([, role]) => roles.includes(role)).map(([pid]) => pid);
  }
}

module.exports = { Members };
