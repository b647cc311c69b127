'use strict';

// The same shop twice, side by side: on egg's own cluster layer and on ours.

const fs = require('node:fs');
const path = require('node:path');
const { startedPids } = require('../helpers/folder_cluster');
const { runFolder } = require('../helpers/run_folder');
const { MARKER } = require('../helpers/cluster');
const { workerScripts } = require('./differences');
const { Normaliser } = require('./normalise');
const { layShop, openShop } = require('./shop');

const ROOT = path.join(__dirname, '..', '..');

const LAST_LINE_OF_START = /egg started on .*\n/;

class Side {
  constructor(name, flavour) {
    this.name = name;
    this.flavour = flavour;
    this.home = path.join(runFolder(), `home-${flavour}-${name}`);
  }

  async lay() {
    this.app = await layShop(this.flavour, { stock: this.name === 'stock' });
  }

  async open() {
    fs.mkdirSync(this.home, { recursive: true });
    do {
      await this.shop?.cluster.stop();
      this.shop = await openShop(this.app, { home: this.home });
      this.ready = await this.shop.cluster.ready();
      // The message and the line come by two ways.
      await this.shop.cluster.output(LAST_LINE_OF_START);
      this.shop.pids = this.pids();
    } while (this.isAmbiguous());
    this.firstWords = this.shop.cluster.stdout;
    this.normaliser = new Normaliser(this.known());
    this.normaliserOfLogs = new Normaliser([...this.known(), ...this.shop.pids]);
  }

  known() {
    const { cluster, ports } = this.shop;
    const { argv } = cluster.workers().find(({ role }) => role === 'agent');
    return [
      [this.app.baseDir, '<app>'],
      [this.home, '<home>'],
      [ROOT, '<root>'],
      workerScripts(argv),
      [cluster.marker, `<${MARKER}>`],
      ...Object.entries(ports).map(([name, port]) => [port, `<${name} port>`]),
      [JSON.parse(argv.at(-1)).clusterPort, '<cluster port>'],
    ];
  }

  /** What the processes are called, by their pids. */
  pids() {
    const { cluster } = this.shop;
    return new Map([
      [cluster.pid, '<master pid>'],
      [cluster.agentPid(), '<agent pid>'],
      ...startedPids(cluster).map((pid, index) => [pid, `<app ${index + 1} pid>`]),
    ]);
  }

  /** A number that is both a port and a pid could be called by one name only. */
  isAmbiguous() {
    const { pids, ports } = this.shop;
    return Object.values(ports).some(port => pids.has(port));
  }

  /** What `look(side)` finds, normalised. */
  async see(look) {
    return this.normaliser.value(await look(this));
  }

  /** As see(), of texts whose numbers may be pids: in an answer a pid could as well be a price. */
  async seeLogs(look) {
    return this.normaliserOfLogs.value(await look(this));
  }

  /** Stops the cluster by SIGTERM and keeps its last words apart from what it printed while it ran. */
  async stop() {
    const { cluster } = this.shop;
    const { length } = cluster.stdout;
    this.ended = await cluster.stop();
    this.wordsBetween = cluster.stdout.slice(this.firstWords.length, length);
    this.lastWords = cluster.stdout.slice(length);
  }
}

class Pair {
  /** @param {'egg3' | 'egg4'} flavour */
  constructor(flavour) {
    this.stock = new Side('stock', flavour);
    this.ours = new Side('ours', flavour);
  }

  both(act) {
    return Promise.all([this.stock, this.ours].map(act));
  }

  lay() {
    return this.both(side => side.lay());
  }

  open() {
    return this.both(side => side.open());
  }

  stop() {
    return this.both(side => side.stop());
  }

  /** Stops what is left running. */
  close() {
    return this.both(side => side.shop?.cluster.stop());
  }

  /** { stock, ours }: what `look(side)` finds on either side at the same time, normalised. */
  async see(look) {
    const [stock, ours] = await this.both(side => side.see(look));
    return { stock, ours };
  }

  async seeLogs(look) {
    const [stock, ours] = await this.both(side => side.seeLogs(look));
    return { stock, ours };
  }
}

module.exports = { Pair };
