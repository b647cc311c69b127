import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { SecureContextOptions } from 'node:tls';

/**
 * `'process'`: agent and app workers are processes. `'worker_threads'`: they are threads of the master process, and each app thread
 * listens on a port of its own; pids in messages, events and `status()` are the ids of threads then, and messages are cloned as
 * `postMessage` does it. A dead app thread is started again after a second in every env; a stop terminates threads without their
 * close hooks.
 */
export type ClusterStartMode = 'process' | 'worker_threads';

/** File paths; the app workers read the files. Other fields of `https.createServer` are handed on as they are. */
export interface ClusterHTTPSSecureOptions {
  /** Must exist. Under egg 4 anything but a string is taken as the contents, unread. */
  key: SecureContextOptions['key'];
  /** Must exist. Under egg 4 anything but a string is taken as the contents, unread. */
  cert: SecureContextOptions['cert'];
  /** Must exist where it is given. */
  ca?: SecureContextOptions['ca'];
  passphrase?: SecureContextOptions['passphrase'];
  [field: string]: unknown;
}

/** Of {@link ClusterOptions.messenger}. Sizes are bytes, or texts such as '64mb'. */
export interface MessengerOptions {
  /**
   * `'json'`: what arrives is what JSON makes of the data. `'advanced'`: it is a structured clone, so Buffer, typed arrays, Map, Set, Date,
   * BigInt, Error, cycles and two references to one object arrive as what they are, and functions are refused with a DataCloneError. Each
   * view arrives with memory of its own, which no one else sees. What goes to the parent, and what the master sends before startCluster, is JSON all the same; between worker threads messages are
   * cloned by `postMessage` with either.
   * @default 'json'
   */
  serialization?: 'json' | 'advanced' | null;
  /**
   * Shared memory for the messages of each process, 1 MiB to 16 GiB; a message must fit into it. It is taken as it is needed, and given back.
   * @default '64mb'
   */
  arena?: number | string | null;
  /**
   * How much may wait in one process for one receiver that does not read, 1 MiB to 64 GiB, the master included. What is more is refused:
   * see `message-dropped` and {@link Messenger.stats}.
   * @default '256mb'
   */
  maxQueue?: number | string | null;
}

/**
 * Options of {@link startCluster}. `null` and `undefined` count as "not given". A field that is not listed is handed to agent
 * and workers as it is. All of it travels as JSON in the workers' command lines: at most 131071 bytes, and visible in `ps`.
 */
export interface ClusterOptions {
  /**
   * Folder of the app. Its `package.json` must exist, except for an app on the embedded framework.
   * @default process.cwd()
   */
  baseDir?: string | null;
  /**
   * The framework: an absolute path, or the name of a package in `<baseDir>/node_modules`, `<cwd>/node_modules`, or wherever
   * Node.js would find it from this package. It must export `Application` and `Agent`; CommonJS and ES modules both do.
   * @default `egg.framework` of the app's `package.json`, else `egg`, else the embedded framework where `baseDir` has an `app.js` or `agent.js`
   */
  framework?: string | null;
  /** @deprecated Use `framework`. */
  customEgg?: string | null;
  /**
   * TCP port of the app workers, 1 to 65535, also in decimal digits. 0 and NaN mean none.
   * @default 8443 where `https` is given, else the app's config `cluster.listen.port` (egg: 7001)
   */
  port?: number | string | null;
  /**
   * Number of app workers, 1 to 1024, also in decimal digits. 0 and NaN mean the default.
   * @default the CPUs this process may use: affinity and cpuset (`os.availableParallelism()`), and no more than the cgroup v1
   *   or v2 CPU quota that applies, rounded up; but no more than fit into the memory of the cgroup or the machine, at 128 MB each,
   *   beside agent and spares
   */
  workers?: number | string | null;
  /**
   * Name of the environment. Slots are refilled and watched in every one but `local` and `unittest`; without a name, where
   * `NODE_ENV` is `production`.
   * @default process.env.EGG_SERVER_ENV
   */
  env?: string | null;
  /**
   * Serves https instead of http.
   * @default false
   */
  https?: ClusterHTTPSSecureOptions | boolean | null;
  /** @deprecated Use `https.key`. */
  key?: ClusterHTTPSSecureOptions['key'] | null;
  /** @deprecated Use `https.cert`. */
  cert?: ClusterHTTPSSecureOptions['cert'] | null;
  /** Modules that agent and app workers load first, in order. */
  require?: string | string[] | null;
  /**
   * What app workers run in the place of this package's own script: an entry made by egg's bundler, from `baseDir`. It gets the options as its
   * argument as JSON, and speaks to the master by `process.send`. Not together with `require`.
   */
  appWorkerFile?: string | null;
  /** As `appWorkerFile`, for the agent. */
  agentWorkerFile?: string | null;
  /**
   * The snapshot that app workers are restored from (`node --snapshot-blob`, built from `appWorkerFile`), from `baseDir`. Such a process is not watched for
   * standing still, its messages and connections go by Node's channel, and it is not possible in worker threads.
   */
  appSnapshotBlob?: string | null;
  /** As `appSnapshotBlob`, for the agent. */
  agentSnapshotBlob?: string | null;
  /** A second port that serves the same app over plain http. Must differ from `port`. */
  debugPort?: number | string | null;
  /** File for the master's pid. Folders are made; the file is removed when the master exits. */
  pidFile?: string | null;
  /** Handed to the framework; test tools put their plugins in by it. */
  plugins?: object | null;
  /**
   * Gives each process an inspector port of its own: the agent `EGG_AGENT_DEBUG_PORT` or 5800, the apps the master's plus 1, 2 …
   * @default true where the master runs with an `--inspect` flag
   */
  isDebug?: boolean | null;
  /** @default 'process' */
  startMode?: ClusterStartMode | null;
  /**
   * Who gets the next connection: the app worker with the fewest open ones, in turn where these are equal; the next in turn, whatever it
   * has; or whom the kernel chooses, among sockets of which each worker has one: that costs least for each connection, and spreads them
   * by chance. A worker that stands still is passed over in each case. `'kernel'` is not possible together with `sticky`, the others not
   * together with `reusePort`.
   * @default 'least-busy'
   */
  balance?: 'least-busy' | 'round-robin' | 'kernel' | null;
  /**
   * Only with `startMode: 'worker_threads'`: the ports of the app threads, each of them once. There is one thread per port, or one on
   * `port`, whatever `workers` says; `reusePort` has another way.
   * @default []
   */
  ports?: Array<number | string> | null;
  /**
   * Gives every app worker a socket of its own on the port, and the kernel chooses the worker of each connection; also by the app's config
   * `cluster.listen.reusePort`. The same as `balance: 'kernel'`. Not together with `sticky`.
   * With `startMode: 'worker_threads'` it needs `port` and Node.js 22.12, and `workers` threads listen on that port.
   * @default false
   */
  reusePort?: boolean | null;
  /**
   * Gives all connections of one client to one app worker, and to the worker that takes its place; while there is none, to another
   * one. The master listens on the cluster's port, the app workers on `stickyWorkerPort` of 127.0.0.1. `true` is `{ by: 'address' }`.
   * @default false
   */
  sticky?: boolean | StickyOptions | null;
  /**
   * How much of a heap agent and app workers each may have (node's `--max-old-space-size`). `true`: where a cgroup limits memory, their
   * share of it, unless Node's own limit is lower. A size such as `'512mb'` is for each of them, `false` leaves it to Node. A flag that
   * the user has given to node, or in NODE_OPTIONS, wins.
   * @default true
   */
  heapBudget?: boolean | number | string | null;
  /** How messages between the processes are written, and how much memory they may take. */
  messenger?: MessengerOptions | null;
  /** How long things may take. */
  timeouts?: {
    /** Until a process is ready; one that takes longer is ended like one that died. @default '10m' */
    boot?: Duration | null;
    /**
     * Until a process that was asked to leave has gone; it is killed then. Wins over the environment.
     * @default EGG_APP_CLOSE_TIMEOUT and EGG_AGENT_CLOSE_TIMEOUT, else EGG_MASTER_CLOSE_TIMEOUT (ms), else 5 s
     */
    drain?: Duration | null;
    /**
     * So long a worker that leaves keeps connections on which nothing happens, for their clients to learn of it by the next answer.
     * @default 2 s, but half of the drain time-out at most, where the master sent it away and others serve: in a reload, a restart, a
     * recycling, a scale-down, an upgrade; '100ms' in a stop, and where somebody else has ended it
     */
    linger?: Duration | null;
  } | null;
  /**
   * What becomes of a process in service that does not come back to its event loop: a busy loop, a bad regular expression, a call that
   * blocks. Time counts only while it could run. `false` turns the watch off. Not with `startMode: 'worker_threads'`.
   */
  stuck?: false | StuckOptions | null;
  /** When the place of a process that was lost is filled again: at once after a healthy life, else with a delay that doubles. */
  restart?: {
    /** The first delay and the longest, half of each by chance; one duration for both. @default '100ms..15s' */
    backoff?: string | number | null;
    /** Who served for so long was healthy. @default '10s' */
    healthyAfter?: Duration | null;
    /** More restarts than this within this time lead to `then`. @default [60, '60s'] */
    intensity?: [restarts: number, within: Duration] | null;
    /** `'slow'`: each further one waits for the longest delay. `'exit'`: the master ends with code 1. @default 'slow' */
    then?: 'slow' | 'exit' | null;
  } | null;
  /**
   * When a worker has served long enough: it is replaced, one at a time, the new process first, and by choice at a moment at which it has
   * no request in hand. Not with `startMode: 'worker_threads'`.
   * @default false
   */
  recycle?: false | RecycleOptions | null;
  /** How workers are renewed: by {@link Cluster.reload}, SIGHUP, and the message `reload-worker`. */
  reload?: {
    /** How many places at once; threads with ports of their own one by one. @default 1 */
    concurrency?: number | null;
    /** Whether the agent is renewed as well, after the app workers; there is none while it is. @default false */
    agent?: boolean | null;
  } | null;
  /**
   * How many app workers are booted beside those in service, to take over at once when one of them is lost. They listen and get messages,
   * but no connections and no `egg-ready` before they take over, and are not in `egg-pids`. `CFORK_WORKER_INDEX` of a spare is
   * `workers` or more. Not together with `startMode: 'worker_threads'`.
   * @default 0
   */
  spare?: number | null;
  /**
   * The path of the unix socket (mode 0600) at which the cluster is seen and steered from outside, also while all JavaScript stands still;
   * a relative one is below `baseDir`. A socket that a dead master has left is replaced; one of a living master is an error, and where
   * nothing was given the cluster does without, with a warning. `false` for none. What is spoken there: docs/ARCHITECTURE.md, "Seen from outside".
   * @default 'run/clutch.sock'
   */
  control?: string | false | null;
  /** A TCP port that shows the same and changes nothing: `/status`, `/metrics`, `/healthz`, `/readyz`, `/events`, and at `/` the live page. @default false */
  admin?: AdminOptions | false | null;
  /**
   * How long the cluster still serves after it was asked to stop; `status().ready` is false from the first moment. A second signal ends the
   * delay, or gives those that leave already a second; a third kills. Without a delay, the same signal a second time ends the master.
   * @default 0
   */
  preStopDelay?: Duration | null;
  /**
   * How the master logs: lines as egg prints them, or a JSON object a line, which tells the process that it is about (`role`, `worker`,
   * `workerPid`, `slot`, `generation`), the `cause` of its death, the `phase` in which it happens (`boot`, `reload`, `drain`), and how long
   * each of these took. The embedded framework's logger follows; what apps and other frameworks print goes on as it is. Levels come
   * from the environment, as ever (`EGG_MASTER_LOGGER_LEVEL`).
   * @default 'egg'
   */
  log?: 'egg' | 'json' | null;
  [field: string]: unknown;
}

export interface StickyOptions {
  /**
   * By what a client is known again: its address; the address that a proxy names by the PROXY protocol, version 1 or 2; the value of a
   * request header; or that of a cookie. Who has none of it, sends no HTTP/1, or takes too long or too much to say it, is known by its address.
   *
   * `'proxy-protocol'`: the proxy's header is taken off, and the app sees the client as `socket.remoteAddress`. Whoever reaches the port
   * can say that he is anybody, so only the proxy should reach it. A connection without such a header is served as it is.
   *
   * `{ header }` and `{ cookie }`: the first request decides for its whole connection, so a proxy must not send requests of several clients
   * by one connection. Not with https, by the option or the app's config.
   */
  by: 'address' | 'proxy-protocol' | { header: string } | { cookie: string };
  /** How long a client may take to say it: milliseconds, or a text such as `'500ms'`. At most a minute. @default '5s' */
  wait?: number | string;
}

/** Durations are milliseconds, or texts such as `'500ms'`, `'30s'`, `'2m'`. */
export interface StuckOptions {
  /** From then on an app worker gets no new connections, and a line and the event `stuck` say so. @default '1s' */
  steerAfter?: number | string;
  /**
   * Then it is killed and replaced. Only where dead workers are replaced (see `env`), and never where a debugger can attach to it.
   * @default '30s'
   */
  killAfter?: number | string;
  /** Whether its JavaScript stack is taken and logged before. @default true */
  stack?: boolean;
}

/** Milliseconds, or a text such as `'250ms'`, `'1.5s'`, `'10m'`, `'2h'`. */
export type Duration = number | string;

/** Of {@link ClusterOptions.admin}. */
export interface AdminOptions {
  /** 1 to 65535, or 0 for any that is free: `status().admin` says which. */
  port: number;
  /** An IP address, or `'localhost'`. @default '127.0.0.1' */
  host?: string | null;
  /** Names by which the port is spoken to, besides addresses and `localhost`; a request with another `Host` is refused. @default [] */
  hosts?: string[] | null;
}

export interface RecycleOptions {
  /**
   * Resident memory of one worker (`'512mb'`, or bytes); or a share (`'80%'`) of the memory of the container for the agent and all workers
   * together, beyond which the largest worker goes. It is looked at every two seconds.
   */
  memory?: number | string;
  /** HTTP requests that one worker has begun. */
  requests?: number;
  /** Time since one worker was started: milliseconds, or a text such as `'12h'`. */
  age?: number | string;
  /** The limits of each worker are up to such a share higher or lower, so that not all reach them together. @default 0.1 */
  jitter?: number;
}

/** What {@link parseOptions} resolves with. */
export interface ParsedClusterOptions {
  /** Absolute. */
  baseDir: string;
  /** Absolute; this package's own folder for the embedded framework. */
  framework: string;
  workers: number;
  port?: number;
  /** `null` (egg 2 and 3) or `undefined` (egg 4) where it is neither given nor in EGG_SERVER_ENV. */
  env?: string | null;
  startMode: ClusterStartMode;
  ports?: number[];
  https?: ClusterHTTPSSecureOptions | false;
  require?: string[];
  debugPort?: number;
  plugins?: object | null;
  isDebug?: boolean;
  /** With all fields, sizes in bytes; only where it is given. */
  messenger?: { serialization: 'json' | 'advanced'; arena: number; maxQueue: number };
  [field: string]: unknown;
}

/** What the workers get on their command line and `egg-ready` carries. */
export interface MasterOptions extends ParsedClusterOptions {
  /** A free TCP port for cluster-client's server in the agent; the same for the life of the master. */
  clusterPort?: number;
  /** The port of 127.0.0.1 that the app workers listen on where `sticky` is given; the same for the life of the master. */
  stickyWorkerPort?: number;
}

/** Stable; new ones may come. */
export type ClutchErrorCode =
  /** An option, or an environment variable that acts as one, has a value that is not allowed. */
  | 'ERR_CLUTCH_OPTION'
  /** The cluster did not become ready, or this process has one already. */
  | 'ERR_CLUTCH_BOOT'
  /** A process could not be forked. */
  | 'ERR_CLUTCH_SPAWN'
  /** A socket could not be opened. */
  | 'ERR_CLUTCH_LISTEN'
  /** The native addon is not there for this machine. */
  | 'ERR_CLUTCH_PLATFORM'
  /** A peer sent what the protocol does not allow. */
  | 'ERR_CLUTCH_PROTOCOL'
  /** A message is larger than the limit. */
  | 'ERR_CLUTCH_MESSAGE_TOO_BIG'
  /** A queue of messages is at its limit. */
  | 'ERR_CLUTCH_QUEUE_FULL'
  /** Nobody is there to take the message. */
  | 'ERR_CLUTCH_NO_RECEIVER'
  /** The answer did not come in time. */
  | 'ERR_CLUTCH_TIMEOUT'
  /** A new process did not boot; the old ones are still there. */
  | 'ERR_CLUTCH_RELOAD'
  /** The cluster is closing or closed. */
  | 'ERR_CLUTCH_CLOSED';

/** Every error of this package, except the option errors that egg's packages throw as an AssertionError. */
export class ClutchError extends Error {
  constructor(code: ClutchErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ClutchErrorCode;
  readonly cause?: unknown;
}

/** For frameworks that re-export it: an error that an agent reported. */
export class ClusterAgentWorkerError extends Error {
  constructor(id: number, workerId: number, status: string, error: Error);
  id: number;
  workerId: number;
  status: string;
}

/** For frameworks that re-export it: the health check found no agent or no app worker. */
export class ClusterWorkerExceptionError extends Error {
  constructor(agent: number, worker: number);
  count: { agent: number; worker: number };
}

/** How long a question may take. */
export interface RequestOptions {
  /** Milliseconds, or a text such as '1s'; at least 1 ms, at most 2^31 - 1. @default '5s' */
  timeout?: number | string;
  /** Ends the question with its reason. */
  signal?: AbortSignal;
}

/** Who asks: `pid` may be given to `sendTo` and `request`. */
export interface Asker {
  pid: string;
  role: 'agent' | 'app' | 'master';
}

/** What became of a broadcast at one receiver. */
export interface BroadcastResult {
  pid: string;
  role?: 'agent' | 'app';
  /** How many listeners of this messenger have run there. Those of egg's own messenger run as well, but are not counted or awaited. */
  listeners: number;
  /**
   * What the first listener that failed threw; `ERR_CLUTCH_TIMEOUT` where not all have run in time, `ERR_CLUTCH_NO_RECEIVER` where the
   * process has ended before. `null` where all is well.
   */
  error: Error | null;
}

export interface Broadcast {
  /** To the agent and all apps, this process included. `data` travels as JSON, or as {@link MessengerOptions.serialization} says; between worker threads it is cloned. */
  (action: string, data?: unknown): Messenger;
  /**
   * The same, and resolves when all listeners have run everywhere, those that return promises included: one result for each receiver. A
   * process that still boots is one, too. Rejects only for bad arguments, for data that cannot be sent, and by the signal.
   */
  acked(action: string, data?: unknown, options?: RequestOptions): Promise<BroadcastResult[]>;
}

/** Counters of one action. */
export interface ActionStats {
  /** Calls, to however many receivers each. */
  sent: number;
  received: number;
  /** Of all that was sent: as it lies in shared memory, or an estimate where messages go by Node's channel or between threads. */
  bytes: number;
  largest: number;
  /** Refused, counted once for each receiver. */
  dropped: number;
  /** What waits in this process now, because receivers have no room, once for each of them (by Node's channel: not written yet). */
  queued: number;
  /**
   * How long messages that were received were on their way, from the sender's call until this process took them: of numbers, booleans,
   * Buffers and what is nested very deeply that is not known, and of more than about 256 a second one in 64 is looked at. By Node's
   * channel: how long what was sent waited to be written.
   */
  timeInQueue: Timed;
  /**
   * How long the listeners of a message have run, together, until the last has returned or come to its first `await`. As many messages are
   * looked at. Those that took more than 50 ms are `slow`: whatever else the process has to do waits for them.
   */
  listeners: Timed & { slow: number };
}

/** What was timed of some of many. */
export interface Timed {
  /** How many were. */
  timed: number;
  /** All of these together; divided by `timed` it is their mean. */
  totalMs: number;
  longestMs: number;
}

/** What {@link Messenger.stats} gives. */
export interface MessengerStats {
  /** As {@link Messenger.pressure}. */
  pressure: number;
  /** Of all actions together, counted once for each receiver. */
  dropped: number;
  /** What waits here because its receivers have no room (by Node's channel: what Node has not written yet). */
  queue: {
    /** Counted once for each receiver. */
    messages: number;
    bytes: number;
    /** How many have waited and are gone on, how long together, and how long the longest, in milliseconds. */
    waited: number;
    waitedMs: number;
    longestMs: number;
  };
  /** Bytes of shared memory that are lent by alloc(), or attached to messages and not read yet, or held in place by their receivers. */
  inPlaceBytes: number;
  /** By action, of the first 500 actions; those beyond share `(other)`. */
  actions: Record<string, ActionStats>;
}

/**
 * egg's messenger: an event is an action, its argument the data. A listener that throws or rejects is logged and stops nothing.
 *
 * Two events are its own: `pressure` when {@link Messenger.pressure} has reached 0.5, and `drain` when it is down to 0.1 again; their
 * argument is the pressure. An action of that name arrives there as well.
 */
export interface Messenger extends EventEmitter {
  /** The pid of this process, or the id of this worker thread, as text. */
  readonly pid: string;
  /** The processes on the other side: all apps for the agent and the master, the agent for an app. From `egg-pids`. */
  readonly opids: string[];
  on(action: string, listener: (data: any) => void): this;
  once(action: string, listener: (data: any) => void): this;
  off(action: string, listener: (data: any) => void): this;
  /** To the agent and all apps, this process included; `broadcast.acked` tells what became of it. */
  broadcast: Broadcast;
  /** To all apps. Before `egg-ready` also to those that are not there yet: up to 1024 messages are kept for them. */
  sendToApp(action: string, data?: unknown): this;
  /** To the agent. */
  sendToAgent(action: string, data?: unknown): this;
  /** From the agent or the master to one app chosen by chance; from an app to the agent. */
  sendRandom(action: string, data?: unknown): this;
  /** To the process with this pid. */
  sendTo(pid: number | string, action: string, data?: unknown): this;
  /** Without `to`: from the agent to all apps, from an app to the agent. */
  send(action: string, data?: unknown, to?: 'app' | 'agent' | 'master' | 'parent'): this;
  /**
   * Asks, and resolves to what the one who replies to `action` answers. `'app'` asks all apps, and the first good answer counts; `'random'`
   * is chosen as by sendRandom. What is thrown there is rejected with here: name, message and code are kept, the far stack is the
   * `cause`. Keeps the process alive until it settles, at most for its time-out.
   *
   * Rejects with ERR_CLUTCH_TIMEOUT, ERR_CLUTCH_NO_RECEIVER (nobody is there, nobody replies to this action, or the receiver has ended
   * or closed its channel), ERR_CLUTCH_OPTION for bad arguments, and with the reason of the signal.
   */
  request(target: 'agent' | 'app' | 'random' | 'master' | number | string, action: string, data?: unknown, options?: RequestOptions): Promise<any>;
  /** Says who answers requests with this action: one for each action, `null` takes it away. No listener sees these requests. */
  reply(action: string, replier: ((data: any, from: Asker) => unknown) | null): this;
  /**
   * How full the fullest queue of this process is, 0 to 1; at 1 the next message may be refused. Always 0 in the master and in worker
   * threads, where nobody tells what waits.
   */
  readonly pressure: number;
  /**
   * Lends a Buffer of so many bytes to be filled and sent, by itself or as a part of other data: nothing of it is copied then. It needs
   * `messenger.serialization: 'advanced'`. Once sent it is its receivers', and empty here (its ArrayBuffer is detached); within the
   * same turn it can go to others, and after that to send it throws a DataCloneError. What it holds at first may be anything, as with
   * `Buffer.allocUnsafe`. Where there is no shared memory, or no room in it, it is ordinary memory, of which a copy is sent; between
   * worker threads that is so, and it stays the sender's. Send it when nothing writes to it any more: what native code is still to put there,
   * such as an `fs.read` under way, reaches the receivers late.
   *
   * Throws ERR_CLUTCH_OPTION.
   */
  alloc(bytes: number): Buffer;
  /**
   * Gives the memory of a Buffer back at once that alloc() has lent and that was not sent, or that was received in place: it is empty
   * then. Otherwise the garbage collector does. Answers false where it is neither, and nothing has happened. Release it when nothing uses it
   * any more, native code included: a socket that is still to write it would write something else.
   *
   * Bytes that were received are in place from 64 KiB on, with `messenger.serialization: 'advanced'`: they lie in shared memory that the
   * sender leaves as it is. They may be written, and nobody else sees that. They cannot be transferred to a thread, and neither can what
   * alloc() has lent: that is a DataCloneError, and before Node.js 21 a copy. All that receivers hold of one sender is at most half of
   * `messenger.arena`, and 64 messages for each of them; the rest is copied.
   */
  release(buffer: ArrayBufferView): boolean;
  /**
   * Counters since the start of this process. Where messages go through shared memory, those of egg's own messenger are included, and so is what
   * `process.send()` sends.
   */
  stats(): MessengerStats;
  /** Resolves when all that this process sent before has been read by agent and apps, or they are gone. It keeps no process alive. */
  flush(): Promise<void>;
  /** Takes no more messages in and forgets all listeners; nobody is answered until there is a new one. */
  close(): void;
}

/** One process as {@link Cluster.status} shows it. */
export interface ProcessStatus {
  /** Counts every fork ever made of its kind: Node's cluster worker id, or the agent's number. */
  id: number;
  /** How many processes its place has had. */
  generation: number;
  /** `null` until it is forked; the thread's id with `startMode: 'worker_threads'`. */
  pid: number | null;
  state: 'starting' | 'ready' | 'draining' | 'killing' | 'exited';
  /** Whether its channel to the master is open. */
  connected: boolean;
  /** How it is; `null` for threads, and where the machine has no shared memory. */
  vitals: Vitals | null;
}

/** How a process is at the moment: read from memory that it shares with the master, and from `/proc/<pid>`; it is not asked itself. */
export interface Vitals {
  /** Since it was forked, in milliseconds. */
  uptimeMs: number;
  /** From its fork until it was ready, in milliseconds; `null` before. */
  bootMs: number | null;
  /** On a processor so far, all its threads together, in milliseconds. */
  cpuMs: number;
  /** Resident memory in bytes. */
  rss: number;
  /** As `process.memoryUsage()` has them, in bytes, after the last garbage collection; 0 before the first. */
  heapUsed: number;
  heapTotal: number;
  external: number;
  eventLoop: {
    state: 'unknown' | 'waits' | 'runs';
    /** For how long it has been running something now, in milliseconds: what comes now waits at least as long. */
    lagMs: number;
    /** What came at any moment of the last minute waited no longer than this in 99 of 100 cases; right within a factor of 1.5. */
    lagP99Ms: number;
    /** The longest turn of its life. */
    longestTurnMs: number;
    /** The share of the last minute in which it ran something, from 0 to 1. */
    utilization: number;
  };
  /** HTTP requests to the server of an app worker, since the process was forked. */
  requests: {
    total: number;
    inFlight: number;
    '2xx': number;
    '3xx': number;
    '4xx': number;
    '5xx': number;
    /** Whose answer did not reach its end. */
    brokenOff: number;
  };
  /** Open connections; `null` where nobody counts them: in the agent, and where a worker has a socket of its own. */
  connections: number | null;
  /** What went through its messenger, over all actions, as {@link ActionStats} has it. */
  messages: { sent: number; received: number; bytes: number; dropped: number; queued: number };
}

export interface WorkerStatus extends ProcessStatus {
  /** The place that is kept filled, from 0. */
  slot: number;
  /** Taken out of service by {@link Cluster.isolate}. */
  isolated: boolean;
}

/** A plain snapshot, taken by the native half of the master. */
export interface ClusterStatus {
  /** Of the master. */
  pid: number;
  /** False from the first moment of a stop, while `leaving` says that it still serves. */
  ready: boolean;
  leaving: boolean;
  stopping: boolean;
  /** How many app workers should be in service, and how many are. */
  target: number;
  serving: number;
  /** True while fewer are in service than should be. Places that are filled for the first time are not missed. */
  degraded: boolean;
  /** True while workers are renewed. */
  reloading: boolean;
  /** How many places are renewed, the agent's among them where it is meant, and how many have been; `null` while nothing is renewed. */
  reload: { places: number; done: number } | null;
  /** True while a new master boots. */
  upgrading: boolean;
  address: string | null;
  /** The path of the control socket, and the URL of the admin port; `null` where there is none. */
  control: string | null;
  admin: string | null;
  agent: ProcessStatus | null;
  workers: WorkerStatus[];
  /** Those that wait to take over. */
  spares: WorkerStatus[];
  /** Messages that were refused, by the master and by the workers, counted once for each receiver. */
  droppedMessages: number;
  /**
   * What went through the messengers of agent and app workers since the master was started, those that have ended among them, by action: of
   * the first 500, and `(other)` for those beyond. Of long names the first 64 bytes are told. `refusedCounters`: what processes wrote there
   * that is no name or number. Without threads.
   */
  messages: { actions: Record<string, ActionStats>; refusedCounters: number };
  /** The last death of each place that has had one, the agent's first. */
  lastDeaths: Death[];
  [fact: string]: unknown;
}

export interface WorkerEvent {
  id: number;
  pid: number;
  slot: number;
  generation: number;
}

/** The end of a process, and why. Also the last of each place in {@link ClusterStatus}. */
export interface Death {
  /**
   * `asked`: it left when the master asked it to. `timed-out`: it did not, and was killed. `stuck`: it stood still. `dropped`: it broke the
   * protocol. `out-of-memory`: the kernel killed it. `heap-limit`: V8's heap was full. `killed`: by a signal from somebody else, or made to
   * leave by one. `fault`: SIGSEGV and its like. `aborted`: SIGABRT. `uncaught-error`: an error that nobody caught. `exited`: its own
   * code ended it, or nothing was left to do.
   */
  kind: 'asked' | 'timed-out' | 'stuck' | 'dropped' | 'out-of-memory' | 'heap-limit' | 'killed' | 'fault' | 'aborted' | 'uncaught-error' | 'exited';
  /** The same for people, as the log has it. */
  words: string;
  phase: 'boot' | 'serving' | 'closing';
  role: 'agent' | 'app';
  /** `null` for the agent. */
  slot: number | null;
  id: number;
  pid: number;
  code: number | null;
  signal: string | null;
  coreDumped: boolean;
  /**
   * The last signal that it caught within its last minute, and who sent it: pid 0 is the kernel, or somebody outside of this container;
   * `command` is empty where the sender was gone already. Nobody can catch SIGKILL, and the kernel does not tell who sent it.
   */
  sentBy: { signal: string; pid: number; uid: number; command: string; isMaster: boolean } | null;
  /** Bytes; only of `heap-limit`. */
  heapLimit: number | null;
  /** The stack of the error that nobody caught. */
  uncaught: string | null;
  /** Where its code called `process.exit`. */
  exitedAt: string | null;
  uptimeMs: number;
  /** Time on a processor. */
  cpuMs: number;
  /** The most resident memory that it had, in bytes. */
  peakMemory: number;
  /** Its resident memory, looked at every ten seconds, over the last two minutes. */
  memory: Array<{ atMs: number; bytes: number }>;
  /** The longest time that its event loop was not free. */
  longestTurnMs: number;
  /** HTTP requests that its server took. */
  requests: number;
  /** Those of them that it had not answered. */
  inFlight: number;
}

/** How a process ended. */
export interface ExitFacts {
  /** `null` where a signal ended it. */
  code: number | null;
  signal: string | null;
  reason: 'boot-failed' | 'crashed' | 'killed' | 'asked' | 'timed-out' | 'stuck';
  /** Why, as far as it can be known; absent with `startMode: 'worker_threads'`, and where there is no shared memory. */
  cause?: Death;
}

export interface WorkerExitedEvent extends WorkerEvent, ExitFacts {}

export interface AgentEvent {
  /** 1, 2, … per fork. */
  id: number;
  pid: number;
}

export interface AgentExitedEvent extends AgentEvent, ExitFacts {}

/** A process in service that stands still, or goes on again. */
export interface StuckEvent {
  /** `steer`: it stands still. `kill`: it has done so for too long and is replaced. `over`: it has come back to its event loop. */
  stage: 'steer' | 'kill' | 'over';
  role: 'agent' | 'app';
  id: number;
  pid: number;
  /** `null` for the agent. */
  slot: number | null;
  generation: number;
  /** How long it has stood still, in milliseconds. */
  forMs: number;
  /** With `kill`: where it stands in JavaScript; `null` where it is blocked outside of it, or `stuck.stack` is false. */
  stack?: string | null;
  /** With `kill`: where it stands in the kernel, as far as that tells. */
  kernel?: string[];
  /** With `kill`: the kernel's word for its state. */
  state?: string;
  /** With `kill`: its resident memory in bytes. */
  memory?: number;
}

/** Messages that were refused. Many of them are told by one event. */
export interface MessageDroppedEvent {
  /** Who sent them. `null` where it is not known. */
  from: { role: string | null; pid: number | null };
  /** Who did not get them. */
  to: { role: string | null; pid: number | null };
  /** Of the first; `(other)` where there were too many different ones. */
  action: string | null;
  /** `queue-full`: it does not read, and maxQueue is reached. `too-big`: larger than the arena. `unreadable`: it is no
   * message. `set-apart`: the two have no memory in common any more, and it lay there unread. `sender-ended`: its receiver stood still, so that
   * it still waited in its sender when that ended. `not-started`: too many were sent to all apps
   * before the cluster was ready. */
  reason: string;
  /** How many, since the last such event. */
  count: number;
}

/** How a new master is started. What is left out is as it was for this one. */
export interface UpgradeOptions {
  /**
   * The node binary. By default the name that this master was called by, looked up anew: where a link leads to another version, or the file was
   * replaced, that one is used.
   */
  execPath?: string;
  /** All arguments behind it: Node's own, the script, the script's. */
  args?: string[];
  /** The whole environment; by default the master's as it is now. */
  env?: Record<string, string | undefined>;
  /** How long it may take until all its workers are ready: milliseconds, or a text such as '1m'. By default `timeouts.boot`. */
  timeout?: number | string;
}

/** The `cause` of an upgrade that has failed: the new master, which did not take over. */
export interface UpgradeFailureFacts {
  /** `null` where it could not be started. */
  pid: number | null;
  code: number | null;
  signal: string | null;
  /** Whether it was ended because it had not been ready in time. */
  overdue: boolean;
}

/** The `cause` of an ERR_CLUTCH_RELOAD: the new process that did not get ready. */
export interface BootFailureFacts {
  id: number;
  /** `null` where it could not be forked. */
  pid: number | null;
  /** `null` for the agent. */
  slot: number | null;
  generation: number;
  /** Whether it was ended because it had not become ready in time. */
  overdue: boolean;
  code: number | null;
  signal: string | null;
  reason: ExitFacts['reason'] | null;
  /** What is on record of its end; `null` where nothing is: it could not be forked, or is a thread. */
  death: Death | null;
}

/** The running cluster, in the master. */
export interface Cluster extends EventEmitter {
  /** Of the master, which is this process. */
  readonly pid: number;
  /** Such as `http://127.0.0.1:7001`, or the path of a unix socket. */
  readonly address: string;
  /** The master's own end; what is sent before the cluster is ready is kept for it. */
  readonly messenger: Messenger;
  /** @throws ClutchError ERR_CLUTCH_CLOSED when the cluster has ended, or does not answer within a second */
  status(): ClusterStatus;
  /**
   * The JavaScript stack of a process, also of one that stands still: a worker by its id, or the agent. `null` where it is idle, or
   * blocked outside of JavaScript.
   * @throws ClutchError ERR_CLUTCH_NO_RECEIVER when there is no such worker
   */
  stack(id: number | 'agent'): Promise<string | null>;
  /**
   * New app workers for old ones, spares first, then place by place: each old one leaves when its successor listens. Resolves when all new
   * ones serve. While one reload runs, all that are asked for are one more, after it.
   * @param options.agent whether the agent is renewed as well, after the app workers; `options.reload.agent` by default
   * @throws ClutchError ERR_CLUTCH_RELOAD when a new process does not get ready: the message and `cause` ({@link BootFailureFacts}) say which
   *   and how it ended; the old ones that have no successor yet go on. ERR_CLUTCH_CLOSED when the cluster stops.
   */
  reload(options?: { agent?: boolean }): Promise<{ workers: number; agent: boolean }>;
  /**
   * So many app workers from now on, 1 to 1024. Resolves when the new ones serve, and those that are too many have left. A later number takes
   * the place of an earlier one, which resolves with it.
   * @throws ClutchError ERR_CLUTCH_RELOAD when a new one does not get ready; its place is tried again, as any place is.
   *   ERR_CLUTCH_PLATFORM where app threads listen on ports of their own
   */
  scale(workers: number): Promise<{ workers: number }>;
  /** A new process in the place of the app worker with this id: the new one first. @throws ClutchError as {@link Cluster.reload} */
  restart(id: number | 'agent'): Promise<void>;
  /**
   * Gives this app worker no connections from now on. It stays, serves what it has, gets messages, and its place is not filled by another;
   * the cluster counts as degraded. Not the last one in service, and not one with a socket of its own (`reusePort`).
   * @throws ClutchError ERR_CLUTCH_OPTION, ERR_CLUTCH_PLATFORM
   */
  isolate(id: number): Promise<void>;
  /** Gives an isolated app worker connections again. @throws ClutchError ERR_CLUTCH_OPTION */
  rejoin(id: number): Promise<void>;
  /**
   * Starts a new master in the place of this one: another process, with a new Node, a new addon, new options and new code, as far as there are
   * any. It gets the listening sockets, and boots its agent and its workers beside these. When all are ready it takes over, with the pid file;
   * then it is answered, the parent gets `egg-upgraded`, and this cluster drains and **this process exits** with code 0, as after a SIGTERM.
   * If the new master does not get ready, this one goes on as if nothing had been asked. The new one has no channel to the parent.
   * @throws ClutchError ERR_CLUTCH_SPAWN where it could not be started, ERR_CLUTCH_BOOT where it ended, ERR_CLUTCH_TIMEOUT where it was not
   *   ready in time, with {@link UpgradeFailureFacts} as `cause`; ERR_CLUTCH_RELOAD while workers are renewed, their number changes, or another
   *   upgrade is under way; ERR_CLUTCH_PLATFORM where nobody can take this master's place: it has pid 1, systemd would end the service with it,
   *   it runs in the foreground of `egg-clutch start`, or the apps are its threads; ERR_CLUTCH_OPTION; ERR_CLUTCH_CLOSED
   */
  upgrade(options?: UpgradeOptions): Promise<{ pid: number }>;
  /**
   * Stops all app workers, then the agent, within `options.timeouts.drain` each, after `options.preStopDelay`.
   * Resolves when all are gone; then **this process exits** with code 0, as after a SIGTERM.
   */
  close(): Promise<void>;

  on(event: 'worker-started' | 'worker-ready' | 'worker-isolated' | 'worker-rejoined' | 'spare-ready', listener: (worker: WorkerEvent) => void): this;
  on(event: 'worker-exited', listener: (worker: WorkerExitedEvent) => void): this;
  on(event: 'agent-started', listener: (agent: AgentEvent) => void): this;
  on(event: 'agent-exited', listener: (agent: AgentExitedEvent) => void): this;
  on(event: 'stuck', listener: (process: StuckEvent) => void): this;
  on(event: 'message-dropped', listener: (drop: MessageDroppedEvent) => void): this;
  on(event: 'reload-started', listener: (reload: { count: number }) => void): this;
  on(event: 'reload-done', listener: (reload: { count: number; agent: boolean }) => void): this;
  /** By the new process that did not get ready. */
  on(event: 'reload-failed', listener: (worker: WorkerEvent) => void): this;
  on(event: 'upgraded', listener: (upgrade: { pid: number }) => void): this;
  on(event: 'upgrade-failed', listener: (upgrade: { reason: string }) => void): this;
  on(event: 'degraded' | 'recovered', listener: (capacity: { serving: number; target: number }) => void): this;
  /** The delay before a stop has begun. */
  on(event: 'stopping', listener: (stop: { signal: string | null; delay: number }) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once(event: 'worker-started' | 'worker-ready' | 'worker-isolated' | 'worker-rejoined' | 'spare-ready', listener: (worker: WorkerEvent) => void): this;
  once(event: 'worker-exited', listener: (worker: WorkerExitedEvent) => void): this;
  once(event: 'agent-started', listener: (agent: AgentEvent) => void): this;
  once(event: 'agent-exited', listener: (agent: AgentExitedEvent) => void): this;
  once(event: 'stuck', listener: (process: StuckEvent) => void): this;
  once(event: 'message-dropped', listener: (drop: MessageDroppedEvent) => void): this;
  once(event: 'reload-started', listener: (reload: { count: number }) => void): this;
  once(event: 'reload-done', listener: (reload: { count: number; agent: boolean }) => void): this;
  /** By the new process that did not get ready. */
  once(event: 'reload-failed', listener: (worker: WorkerEvent) => void): this;
  once(event: 'upgraded', listener: (upgrade: { pid: number }) => void): this;
  once(event: 'upgrade-failed', listener: (upgrade: { reason: string }) => void): this;
  once(event: 'degraded' | 'recovered', listener: (capacity: { serving: number; target: number }) => void): this;
  /** The delay before a stop has begun. */
  once(event: 'stopping', listener: (stop: { signal: string | null; delay: number }) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** What {@link startCluster} runs. */
export class Master {
  /** Starts at once. */
  constructor(options?: ClusterOptions);
  /** `null` until the options are checked. */
  readonly options: MasterOptions | null;
  ready(callback?: (error: Error | null) => void): Promise<Cluster>;
  /** See {@link Cluster.close}. */
  close(): Promise<void>;
}

/**
 * Makes this process the master of a cluster: an agent first, then the app workers. One cluster per process.
 *
 * Resolves when all app workers listen. Where the start fails after the first fork, the process exits with code 1, as its log says.
 *
 * Signals to the master: TERM, INT and QUIT stop it, HUP reloads (or stops, where the terminal it was started from has gone), TTIN and TTOU make
 * it one app worker more or less.
 *
 * Read from the environment when it is called: EGG_SERVER_ENV, NODE_ENV, HOST (host of the address shown), EGG_MASTER_LOGGER_LEVEL
 * (ALL, DEBUG, INFO, WARN, ERROR, NONE), EGG_APP_CLOSE_TIMEOUT, EGG_AGENT_CLOSE_TIMEOUT and for both EGG_MASTER_CLOSE_TIMEOUT (ms),
 * EGG_AGENT_DEBUG_PORT. `NODE_ENV=production` sets NO_DEPRECATION.
 *
 * @param callback called once: with `null` when the cluster is ready, else with the error. The promise rejects all the same.
 * @throws AssertionError for `baseDir`, `framework` and `https`, with egg's texts
 * @throws ClutchError ERR_CLUTCH_OPTION for any other bad value, ERR_CLUTCH_PLATFORM without the native addon, ERR_CLUTCH_LISTEN
 *   without a free port, ERR_CLUTCH_SPAWN where nothing can be forked, ERR_CLUTCH_BOOT for a second cluster in one process, or in a worker thread
 */
export function startCluster(options?: ClusterOptions | null, callback?: ((error: Error | null) => void) | null): Promise<Cluster>;

/**
 * The checked options as {@link startCluster} would hand them on; starts nothing, but loads the framework, and with
 * `NODE_ENV=production` sets NO_DEPRECATION.
 * @throws as startCluster for options
 */
export function parseOptions(options?: ClusterOptions | null): Promise<ParsedClusterOptions>;

/**
 * The messenger of this process; the same one at every call. In the master it is {@link Cluster.messenger}. In a thread that an app has
 * started it takes part in no cluster: nothing that is sent there goes anywhere, and questions end with ERR_CLUTCH_NO_RECEIVER.
 */
export const messenger: Messenger;

/** What `Application` and `Agent` of the embedded framework share. */
export interface EmbeddedInstance extends EventEmitter {
  /** The options of the cluster, the very object. */
  readonly options: MasterOptions;
  readonly type: 'application' | 'agent';
  readonly baseDir: string;
  readonly env: string;
  /** The name in the app's `package.json`, or ''. */
  readonly name: string;
  /** `config/config.default`, then `config/config.<env>`, over the defaults. */
  readonly config: Record<string, any>;
  readonly messenger: Messenger;
  readonly logger: Pick<Console, 'debug' | 'info' | 'warn' | 'error'>;
  readonly coreLogger: Pick<Console, 'debug' | 'info' | 'warn' | 'error'>;
  /** Readiness waits for the task. */
  beforeStart(task: () => unknown): void;
  /** Rejects with the error that made the start fail. */
  ready(): Promise<void>;
  ready(callback: (error?: Error) => void): void;
  /** `true` or an error settles it, `false` takes it back. */
  ready(flag: boolean | Error): void;
  /** Runs when the process is asked to leave; the last one registered runs first. */
  beforeClose(hook: () => unknown): void;
  /** Settles once the close hooks have run, within nine tenths of the process's close time-out; rejects with the first failure. */
  close(): Promise<void>;
}

/** Answers one request. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The app of the embedded framework; `app.js` gets it. Only one of `use`, `callback` and `handle` may answer. */
export interface Application extends EmbeddedInstance {
  /** The http or https server, once there is one. */
  readonly server: Server | null;
  /** The Koa application behind `use`, for its settings. */
  readonly koa: any;
  /** Adds a Koa middleware. */
  use(middleware: (context: any, next: () => Promise<any>) => unknown): this;
  /** Gives the listener for `http.createServer`. Assign a listener, or an app of Express, Koa or Fastify, to have it answer. */
  get callback(): () => RequestListener;
  set callback(app: any);
  /** Answers one request. Assign a listener to have it answer all. */
  handle: RequestListener;
  /** `server`: before it listens. `startTimeout`: config `workerStartTimeout` (ms) has passed before readiness. */
  on(event: 'server', listener: (server: Server) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}
export const Application: new (options?: object) => Application;

/** The agent of the embedded framework; `agent.js` gets it. */
export type Agent = EmbeddedInstance;
export const Agent: new (options?: object) => Agent;
