'use strict';

// The lines of the contract: what other software asserts (T) or relies on (S) of egg's cluster layer, in the words of a user. An id is
// "<section>.<line>". `versions` names the major versions of the layer that the line is about, 2 (egg-cluster) and 3 (@eggjs/cluster),
// where it is not both. `onPurpose` is the number, in the README's list, of a difference to stock that we want.

const LINES = {
  // 1 The entry point
  '1.1': { mark: 'T', text: 'startCluster makes the calling process the master' },
  '1.3': { mark: 'T', text: 'startCluster is an async function that resolves at readiness and rejects options that do not validate', versions: [3] },
  '1.4': { mark: 'T', text: 'startCluster works detached, with more arguments, and through a framework that re-exports it' },
  '1.5': { mark: 'T', text: 'a wrapper may change process.env just before the call' },
  '1.6': { mark: 'T', text: 'a master without an IPC channel works, and says nothing about it' },
  '1.7': { mark: 'T', text: 'the parent may disconnect after readiness; later deaths and messages write nothing of a closed channel' },
  '1.8': { mark: 'T', text: 'a normal start and stop write nothing to stderr' },

  // 2 Options
  '2.0': { mark: 'T', text: 'unknown options reach the agent and the apps' },
  '2.1': { mark: 'T', text: 'baseDir is the working directory by default, and must have a package.json' },
  '2.2': { mark: 'T', text: 'framework is found by path, by name and by the app\'s package.json, and its error names where it was looked for' },
  '2.4': { mark: 'T', text: 'port may be a text; 0 and null count as not given' },
  '2.5': { mark: 'T', text: 'workers is the number of CPUs by default, and given, nobody asks for the CPUs', onPurpose: 6 },
  '2.6': { mark: 'T', text: 'env is EGG_SERVER_ENV by default, and the option wins' },
  '2.7': { mark: 'T', text: 'https takes files that exist, and its errors name what is missing' },
  '2.9': { mark: 'T', text: 'require may be one module' },
  '2.10': { mark: 'T', text: 'startMode is process by default' },
  '2.11': { mark: 'T', text: 'with worker_threads there is one app per entry of ports' },
  '2.13': { mark: 'T', text: 'debugPort may be a text' },
  '2.15': { mark: 'S', text: 'plugins reach the workers' },
  '2.16': { mark: 'T', text: 'isDebug follows from --inspect of the master' },
  '2.18': { mark: 'T', text: 'clusterPort is a free port, the same in agent, apps and later agents' },
  '2.19': { mark: 'T', text: 'with NODE_ENV=production NO_DEPRECATION is set and inherited' },
  '2.20': { mark: 'T', text: 'production is every env but local and unittest' },

  // 3 Processes
  '3.1': { mark: 'S', text: 'agent and apps are direct children of the master' },
  '3.2': { mark: 'T', text: 'the agent starts first, then all apps, and ready is when they listen' },
  '3.3': { mark: 'T', text: 'the command line of a worker is node, the script and the options as JSON' },
  '3.4': { mark: 'S', text: 'the command lines show title and baseDir as tools look for them' },
  '3.5': { mark: 'T', text: 'the workers\' options are the parsed options with clusterPort' },
  '3.6': { mark: 'T', text: 'working directory, env and output are the master\'s own' },
  '3.7': { mark: 'T', text: 'apps are cluster workers, numbered over every fork; the agent is a plain child' },
  '3.8': { mark: 'T', text: 'agents are numbered per fork' },
  '3.9': { mark: 'T', text: 'execArgv of the master is inherited' },
  '3.11': { mark: 'S', text: 'messages are JSON and arrive in order' },
  '3.12': { mark: 'T', text: 'entries of require are loaded first, in order' },
  '3.13': { mark: 'T', text: 'framework and require may be CommonJS, and with version 3 ES modules' },
  '3.14': { mark: 'T', text: 'an app or agent that throws at load is logged in egg\'s format and dies with code 1' },
  '3.15': { mark: 'T', text: 'the port of the config counts where there is none in the options, and the app sees it in its options' },
  '3.16': { mark: 'T', text: 'https of options and config are merged, and `server` is emitted before listen' },
  '3.17': { mark: 'T', text: 'an error of the server is logged, and the worker leaves' },
  '3.18': { mark: 'T', text: 'a missing port is said, and the start fails', versions: [2] },
  '3.1.1': { mark: 'T', text: 'SIGTERM closes a worker through its hooks with code 0' },
  '3.1.3': { mark: 'T', text: 'a worker says the code of its exit' },
  '3.1.4': { mark: 'T', text: 'without a master the agent leaves with 110 and the apps with 0' },
  '3.1.5': { mark: 'T', text: 'an orderly stop says nothing of a disconnect' },
  '3.1.6': { mark: 'T', text: 'an uncaught exception leaves the agent alive and drains an app' },
  '3.1.7': { mark: 'T', text: 'a failed start is said by the worker before it leaves' },
  '3.1.8': { mark: 'T', text: 'a start time-out is said by the app before it leaves' },
  '3.1.9': { mark: 'T', text: 'the listeners for a failed start are gone once ready' },

  // 4 The master's log
  '4.1.0': { mark: 'T', text: 'a log line is time, level, pid and text; errors go to stderr; the started line comes before egg-ready' },
  '4.1.3': { mark: 'T', text: 'the options are logged, in production over several lines' },
  '4.1.5': { mark: 'T', text: 'the agent\'s fork is logged, and not in env local' },
  '4.1.6': { mark: 'T', text: 'the agent\'s start is logged' },
  '4.1.8': { mark: 'T', text: 'each app\'s fork is logged' },
  '4.1.10': { mark: 'T', text: 'each app\'s start is logged with port and what remains' },
  '4.1.11': { mark: 'T', text: 'the start of the whole is logged with its address' },
  '4.1.13': { mark: 'T', text: 'a closed channel of an app is logged' },
  '4.1.14': { mark: 'T', text: 'the death of an app is logged as AppWorkerDiedError' },
  '4.1.15': { mark: 'T', text: 'the death of the agent is logged as AgentWorkerDiedError' },
  '4.1.16': { mark: 'T', text: 'a new agent is announced' },
  '4.1.18': { mark: 'T', text: 'an agent that dies before the cluster is ready is a failed start' },
  '4.1.19': { mark: 'T', text: 'an app that dies before the cluster is ready is a failed start' },
  '4.1.21': { mark: 'T', text: 'a kill by the debugger is said' },
  '4.1.22': { mark: 'T', text: 'the signal that stops the master is said' },
  '4.1.23': { mark: 'T', text: 'the stop says the system\'s memory' },
  '4.1.24': { mark: 'T', text: 'the stop says the master\'s heap' },
  '4.1.25': { mark: 'T', text: 'the stop of the apps is said with its time-out' },
  '4.1.26': { mark: 'T', text: 'the stop of the agent is said with its time-out' },
  '4.1.28': { mark: 'T', text: 'the end of the stop is said, in env local as DEBUG' },
  '4.1.29': { mark: 'T', text: 'the master says the code of its exit' },
  '4.1.30': { mark: 'T', text: 'a cluster of nobody ends with ClusterWorkerExceptionError' },
  '4.1.31': { mark: 'T', text: 'the fork library\'s line of a disconnect has its fields' },
  '4.1.32': { mark: 'T', text: 'during start and stop nobody is forked again, and stdout says so' },
  '4.1.33': { mark: 'T', text: 'the fork in the place of a dead app is said on stderr' },
  '4.1.34': { mark: 'T', text: 'without refork that is said on stderr' },

  // 4.2 Messages
  '4.2.1': { mark: 'T', text: 'receiverPid wins over to: master, agent, or the one app' },
  '4.2.2': { mark: 'T', text: 'without to, the agent writes to the apps, an app to the agent, the parent to the master' },
  '4.2.3': { mark: 'T', text: 'to app is to every app, the sender included' },
  '4.2.4': { mark: 'T', text: 'to agent is to the agent, also from itself' },
  '4.2.5': { mark: 'T', text: 'to parent reaches the parent, to master the master, any other nobody' },
  '4.2.6': { mark: 'S', text: 'receivers get to and from filled in, and a bare text as action and data' },
  '4.2.9': { mark: 'S', text: 'a message to a worker whose channel is closed harms nobody' },
  '4.2.11': { mark: 'S', text: 'the agent\'s script says agent-start' },
  '4.2.12': { mark: 'S', text: 'the app\'s script says realport, and the master takes it over' },
  '4.2.15': { mark: 'T', text: 'egg-ready reaches the parent once, with port, address and protocol' },
  '4.2.16': { mark: 'T', text: 'egg-ready reaches the apps with the options, and again after a refork' },
  '4.2.17': { mark: 'T', text: 'egg-ready reaches each agent once with the options' },
  '4.2.18': { mark: 'T', text: 'egg-pids tells the agent of every start and death of an app' },
  '4.2.19': { mark: 'T', text: 'egg-pids tells the apps of the agent' },
  '4.2.20': { mark: 'S', text: 'agent-start reaches the apps when the agent has started again' },
  '4.2.21': { mark: 'S', text: 'agent-worker-died reaches the parent' },
  '4.2.22': { mark: 'S', text: 'app-worker-died reaches the parent' },
  '4.2.23': { mark: 'T', text: 'debug tells the parent of inspect ports' },
  '4.2.24': { mark: 'T', text: 'reload-worker from anybody reloads' },
  '4.2.26': { mark: 'S', text: 'a sticky connection comes as sticky-session:connection with its socket' },
  '4.3.1': { mark: 'T', text: 'the pid file is there before anybody is forked, and gone after the exit' },
  '4.4.1': { mark: 'T', text: 'the address shown follows the listen address, then HOST, then 127.0.0.1' },

  // 5 Readiness
  '5.1': { mark: 'T', text: 'an app counts as started on its own port only' },
  '5.2': { mark: 'T', text: 'ready is when as many apps as workers have started' },
  '5.3': { mark: 'T', text: 'any death before readiness ends the master with code 1, and nobody is forked again' },
  '5.4': { mark: 'T', text: 'an agent that dies while apps boot ends the start' },

  // 6 Shutdown
  '6.1': { mark: 'T', text: 'SIGTERM, SIGINT and SIGQUIT stop the cluster' },
  '6.2': { mark: 'T', text: 'the apps close first, all at once, then the agent, and the code is 0' },
  '6.3': { mark: 'T', text: 'the close time-outs come from the environment' },
  '6.4': { mark: 'T', text: 'a worker\'s descendants get SIGTERM, and SIGKILL before the time-out' },
  '6.5': { mark: 'T', text: 'an app that is still there at the time-out is killed' },
  '6.7': { mark: 'T', text: 'a descendant that ignores SIGTERM is gone in time' },
  '6.9': { mark: 'T', text: 'no app is forked again while the cluster stops' },
  '6.10': { mark: 'T', text: 'nothing of the tree is left after a stop' },
  '6.11': { mark: 'T', text: 'nobody is left after the master was killed' },

  // 7 Supervision
  '7.1': { mark: 'T', text: 'a dead agent is replaced after a second, for ever, and no app with it' },
  '7.2': { mark: 'T', text: 'a dead or disconnected app is replaced once in production, and not at all elsewhere' },
  '7.3': { mark: 'T', text: 'a death by signal counts the same' },
  '7.4': { mark: 'T', text: 'an app that dies before it listens is tried again', onPurpose: 1 },
  '7.6': { mark: 'T', text: 'a cluster without agent or apps exits after three bad checks in production, never in env local' },
  '7.7': { mark: 'T', text: 'an app killed by a debugger closes the cluster with code 0' },

  // 8 Reload
  '8.1': { mark: 'T', text: 'a reload forks as many new apps and stops the old ones, the first of them last' },

  // 9 Sticky
  '9.1': { mark: 'T', text: 'the apps listen inside, the master outside once all have started' },
  '9.2': { mark: 'S', text: 'a client stays with its app, and its connection is handed over unread', onPurpose: 8 },
  '9.3': { mark: 'T', text: 'the started line has the outer port and STICKY MODE, the apps\' lines the inner one' },
  '9.4': { mark: 'T', text: 'the port of the config is the outer port' },

  // 10 Addresses
  '10.1': { mark: 'T', text: 'https by options and by config is served and shown' },
  '10.2': { mark: 'T', text: 'debugPort beside https serves plain http' },
  '10.4': { mark: 'T', text: 'a unix socket is served and shown' },
  '10.5': { mark: 'T', text: 'a hostname is the only address that answers' },
  '10.6': { mark: 'T', text: 'all interfaces answer by default' },
  '10.7': { mark: 'T', text: 'egg\'s own config gives port 7001' },

  // 11 Debugging
  '11.1': { mark: 'T', text: 'the agent gets its inspect port' },
  '11.2': { mark: 'T', text: 'the apps get the inspect ports after the master\'s' },
  '11.3': { mark: 'T', text: 'without isDebug there is no debug message' },
  '11.4': { mark: 'T', text: 'isDebug as an option gives the agent its inspect port' },

  // 12 Threads
  '12.1': { mark: 'T', text: 'agent and apps run as threads with the scripts and arguments of processes' },
  '12.3': { mark: 'T', text: 'egg\'s messenger works between threads' },
  '12.6': { mark: 'T', text: 'a failing agent thread is said and ends the start' },
};

module.exports = { LINES };
