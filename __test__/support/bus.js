'use strict';

// A cluster in one process: messengers that reach each other as the master's router has it, in later turns and as JSON.

const { Messenger } = require('../../lib/messenger');
const { MemberList } = require('../../lib/master/member_list');
const { Members } = require('../../lib/messenger/members');

const MASTER_PID = 1;

class Bus {
  #queue = [];
  #isRunning = false;

  nodes = new Map();
  sent = [];

  constructor() {
    this.master = this.#add(MASTER_PID, 'master');
    this.list = new MemberList({
      pid: MASTER_PID, members: this.master.transport.members, deliver: text => this.route(JSON.parse(text), 'master'),
    });
  }

  /** Starts an agent or an app. */
  start(pid, role) {
    const node = this.#add(pid, role);
    this.list.note(role === 'agent' ? 'agent-started' : 'worker-started', { pid });
    return node.messenger;
  }

  /** It is gone, and what was on its way to it. */
  kill(pid) {
    const { role } = this.nodes.get(pid);
    this.nodes.delete(pid);
    this.#later(() => this.list.note(role === 'agent' ? 'agent-exited' : 'worker-exited', { pid }));
  }

  /** Messages to it are lost from now on. */
  deafen(pid) {
    this.nodes.get(pid).isDeaf = true;
  }

  #add(pid, role) {
    const node = { pid, role, listeners: new Set(), isDeaf: false };
    node.transport = {
      pid, role,
      members: role === 'master' ? new Members() : undefined,
      send: envelope => this.route(JSON.parse(JSON.stringify(envelope)), role),
      onMessage(listener) {
        node.listeners.add(listener);
        return () => node.listeners.delete(listener);
      },
    };
    node.messenger = new Messenger(node.transport).listen();
    node.messenger.logger = { error() {} };
    this.nodes.set(pid, node);
    return node;
  }

  route(message, from) {
    this.sent.push(message);
    this.#later(() => {
      for (const node of this.#receiversOf(message, from)) this.#give(node, { ...message, from });
    });
    return true;
  }

  #receiversOf({ to, receiverPid }, from) {
    const nodes = [...this.nodes.values()];
    if (receiverPid !== undefined) return nodes.filter(({ pid }) => String(pid) === receiverPid);
    const role = to ?? (from === 'agent' ? 'app' : 'agent');
    return nodes.filter(node => node.role === role);
  }

  #give(node, message) {
    if (node.isDeaf) return;
    if (node.role === 'master' && this.list.take(message)) return;
    for (const listener of node.listeners) listener(message);
  }

  #later(act) {
    this.#queue.push(act);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#run());
  }

  #run() {
    for (const act of this.#queue.splice(0)) act();
    this.#isRunning = this.#queue.length > 0;
    if (this.#isRunning) setImmediate(() => this.#run());
  }
}

/** An agent (10) and two apps (21, 22), ready. */
function readyBus() {
  const bus = new Bus();
  const agent = bus.start(10, 'agent');
  const apps = [bus.start(21, 'app'), bus.start(22, 'app')];
  bus.list.complete();
  return { bus, master: bus.master.messenger, agent, apps };
}

module.exports = { Bus, readyBus };
