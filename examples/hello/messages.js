'use strict';

// The words that the agent and the workers of this example say to each other. All of them travel through
// `app.messenger`; the prefix keeps them apart from egg's own (`egg-ready`, `egg-pids`).

/** worker → agent: I am here, this is who I am */
exports.HERE = 'hello:here';
/** agent → workers: say again who you are (a new agent knows nobody) */
exports.ROLL_CALL = 'hello:roll-call';
/** agent → workers: everybody who is alive, and who died lately */
exports.ROSTER = 'hello:roster';

/** the message of the page's buttons, sent with the method under test */
exports.NOTE = 'hello:note';
/** sender → workers: I am about to send this note (so that it shows even if nobody hears it) */
exports.SENT = 'hello:sent';
/** whoever heard a note → workers */
exports.RECEIPT = 'hello:receipt';
/** worker → the process that shall send a note */
exports.ASK = 'hello:ask';

/** worker → worker: throw, outside any request */
exports.CRASH = 'hello:crash';
/** worker → agent: I am going to die */
exports.DYING = 'hello:dying';
/** worker → agent: leave */
exports.LEAVE = 'hello:leave';

/** worker → agent: somebody watches, send a message round */
exports.GO_ROUND = 'hello:go-round';
/** agent → worker → worker → … → agent: the message that goes round */
exports.HOP = 'hello:hop';
/** agent → workers: it came back, and how long it took */
exports.ROUND = 'hello:round';

/** The messenger's methods that have a button on the page. */
exports.METHODS = ['broadcast', 'sendToApp', 'sendToAgent', 'sendRandom', 'sendTo'];

/** Longest text of a note, in characters. */
exports.TEXT_LIMIT = 200;
