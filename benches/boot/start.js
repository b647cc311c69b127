'use strict';

// The master of `npm run bench:boot`: tells its parent of what comes into service.

const [, , entry, options] = process.argv;
const tell = (event, fields = {}) => process.send({ event, pid: fields.pid });
const EVENTS = ['worker-ready', 'spare-ready'];

require(entry).startCluster(JSON.parse(options), () => {}).then(cluster => {
  tell('ready');
  const { workers, spares } = cluster.status();
  for (const worker of workers) tell('worker-ready', worker);
  for (const worker of spares.filter(({ state }) => state === 'ready')) tell('spare-ready', worker);
  for (const event of EVENTS) cluster.on(event, fields => tell(event, fields));
});
