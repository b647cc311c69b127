//! The loop: everything that happens comes in here, one thing at a time, and is turned into the supervisor's events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::acceptor::Door;
use super::children::{Running, Tree};
use super::config::MasterConfig;
use super::desk::{Desk, NameOfDoor};
use super::early::Early;
use super::forks::Environment;
use super::heir::{HeirNews, Heirs};
use super::heirlooms::Heirlooms;
use super::lanes::LaneRecord;
use super::last_word::LastWord;
use super::listeners::Listeners;
use super::metrics::Ledger;
use super::phases::Phases;
use super::pid_file::PidFile;
use super::predecessor::{Estate, Predecessor, PredecessorNews};
use super::renewal::Recycling;
use super::sticky_port::StickyPort;
use super::switchboard::{Record, Switchboard};
use super::threads::Threads;
use super::watch::Watch;
use super::{Command, Sink};
use crate::control::ask::Asked;
use crate::control::{Control, Doors};
use crate::message::address::{Occupant, Origin, Seat};
use crate::router::Roster;
use crate::slot::Exit;
use crate::supervisor::{Event, ProcessView, Supervisor};
use crate::sys::alarm::Alarm;
use crate::sys::process_tree::Zombie;
use crate::sys::pulse;
use crate::sys::spawn::Usage;
use crate::transport::channel::Frame;

/// How many happenings may wait for the loop; those who report them wait beyond that.
const INBOX_LIMIT: usize = 1024;

/// After so many happenings at most, a question of somebody outside is answered.
const ASKED_EVERY: u64 = 32;

/// How long an exit waits for the end of the process' channel, so that what it last said is heard first.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(200);

/// What the tasks beside the loop report to it.
#[derive(Debug)]
pub(super) enum Happening {
    /// A frame came in.
    Frame { who: Occupant, frame: Frame },
    /// A channel is closed; with the reason where it broke.
    ChannelEnded { who: Occupant, fault: Option<String> },
    /// A process has ended.
    Exited { who: Occupant, exit: Exit, core_dumped: bool, usage: Usage },
    /// An ended process' channel has had its time.
    LastWordsOver { who: Occupant },
    /// The descendants of a process that was asked to leave are gone.
    TreeGone { who: Occupant },
    /// A listening socket has connections, the oldest first.
    Accepted { door: Door, connections: Vec<std::os::fd::OwnedFd> },
    /// A worker that could not take a connection in has had its pause.
    Rested { who: Occupant },
    /// A connection of the sticky port has said whose it is, or has had its time to.
    Introduced { id: u64 },
    /// A worker told something by its lane.
    Lane { who: Occupant, record: LaneRecord },
    /// It is time to look at the lanes.
    Look,
    /// A worker told something of the switchboard.
    Record { who: Occupant, record: Record },
    /// A worker's end of the switchboard's socket is closed.
    Parted { who: Occupant },
    /// A worker has sent the switchboard what is no record.
    Babbled { who: Occupant },
    /// A process that stands still has been asked for its stack.
    Explained { who: Occupant, time: Duration, stack: Option<String> },
    /// Something is heard of the new master.
    Heir { number: u32, news: HeirNews },
    /// Something is heard of the master before this one.
    Predecessor(PredecessorNews),
    /// Whoever wants what the master before this one has left has asked for it.
    EstateSettled,
    /// A task beside the loop panicked: what it should have told will never come.
    TaskPanicked,
    /// Accepting failed for a reason that is worth a line, such as no descriptors left.
    AcceptFailed { door: Door, reason: String },
}

/// All that the master holds.
pub(super) struct Shell {
    pub(super) config: MasterConfig,
    pub(super) supervisor: Supervisor,
    /// Changes of it are followed by an event, so the roster never outlives what it was made from.
    pub(super) running: HashMap<Occupant, Running>,
    /// Of those that were asked to leave and have descendants that are still there.
    pub(super) trees: HashMap<Occupant, Tree>,
    pub(super) threads: Threads,
    pub(super) listeners: Listeners,
    pub(super) switchboard: Switchboard,
    pub(super) watch: Watch,
    /// None where nobody is renewed for having served long.
    pub(super) recycling: Option<Recycling>,
    /// Ended processes that were adopted, as they were seen last.
    pub(super) zombies: BTreeSet<Zombie>,
    /// Why the last process of each place has ended.
    pub(super) deaths: BTreeMap<Seat, serde_json::Value>,
    pub(super) ledger: Ledger,
    pub(super) happenings: mpsc::Sender<Happening>,
    pub(super) sink: Sink,
    pub(super) stop_lines: Vec<String>,
    pub(super) environment: Environment,
    pub(super) pid_file: Option<Arc<PidFile>>,
    pub(super) heirs: Heirs,
    /// None where there is no other master.
    pub(super) predecessor: Option<Predecessor>,
    pub(super) control: Control,
    pub(super) control_name: NameOfDoor,
    pub(super) last_word: LastWord,
    pub(super) desk: Desk,
    /// Those that leave and were told that they may take their time.
    pub(super) leisurely: BTreeSet<Occupant>,
    /// Why there is no control socket, until that has been told.
    door_warning: Option<String>,
    pub(super) dropped_messages: u64,
    /// Those among them of which no event has told yet.
    pub(super) untold_drops: u64,
    /// For apps that are not there yet.
    pub(super) early: Early,
    /// How many apps have been forked in the place of another.
    pub(super) reforks: u32,
    pub(super) phases: Phases,
    /// Who can be reached; made when asked for, and forgotten with every event, as most messages come between two events.
    roster: Option<Rc<Roster>>,
    started: Instant,
    has_ended: bool,
}

/// What the loop is given besides its configuration.
pub(super) struct Given {
    pub(super) environment: Environment,
    pub(super) pid_file: Option<Arc<PidFile>>,
    /// None where there was no other master.
    pub(super) estate: Option<Estate>,
    pub(super) doors: Doors,
    pub(super) control_name: NameOfDoor,
    pub(super) last_word: LastWord,
}

/// Runs a cluster until the process exits; does not return. A panic becomes a logged end with code 1.
pub(super) fn run(config: MasterConfig, given: Given, commands: mpsc::UnboundedReceiver<Command>, sink: Sink) {
    let result = panic::catch_unwind(AssertUnwindSafe(|| live(config, given, commands, Sink::clone(&sink))));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!("[master] the event loop could not be started: {error}, exiting with code:1"),
        Err(_) => error!("[master] the master's thread panicked, exiting with code:1"),
    }
    sink(exit_event(1));
    // The thread must outlive its children's boot: their parent-death signal is tied to it, not to the process.
    loop {
        std::thread::park();
    }
}

/// Starts a task beside the loop. If it panics the loop hears of it, instead of waiting for what the task would have told.
pub(super) fn spawn_task(
    happenings: &mpsc::Sender<Happening>,
    task: impl Future<Output = ()> + 'static,
) -> tokio::task::AbortHandle {
    let happenings = happenings.clone();
    let task = tokio::task::spawn_local(task);
    let aborter = task.abort_handle();
    tokio::task::spawn_local(async move {
        if task.await.is_err_and(|error| error.is_panic()) {
            let _ = happenings.send(Happening::TaskPanicked).await;
        }
    });
    aborter
}

/// What tells JavaScript to end the process.
pub(super) fn exit_event(code: i32) -> String {
    format!(r#"{{"type":"exit","code":{code}}}"#)
}

fn live(
    config: MasterConfig,
    given: Given,
    commands: mpsc::UnboundedReceiver<Command>,
    sink: Sink,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async move {
        let (happenings, inbox) = mpsc::channel(INBOX_LIMIT);
        let (control, asked) = Control::new();
        Shell::new(config, given, control, happenings, sink)?.take_in(commands, inbox, asked, Alarm::new()?).await;
        Ok(())
    })
}

impl Shell {
    fn new(
        config: MasterConfig,
        given: Given,
        control: Control,
        happenings: mpsc::Sender<Happening>,
        sink: Sink,
    ) -> std::io::Result<Self> {
        let Given { environment, pid_file, estate, mut doors, control_name, last_word } = given;
        let door_warning = doors.warning.take();
        control.serve(doors)?;
        let met = estate.map(|estate| Predecessor::meet(estate, &happenings)).transpose()?;
        let (predecessor, heirlooms) = met.unzip();
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |time| u64::from(time.subsec_nanos()) ^ (u64::from(std::process::id()) << 32));
        let early = Early::new(config.max_queue);
        Ok(Self {
            supervisor: Supervisor::new(config.supervisor(predecessor.is_some(), seed)),
            listeners: Listeners::new(
                happenings.clone(),
                config.production,
                config.sticky_worker_port.map(|port| StickyPort::new(port, config.sticky.clone())),
                config.balance,
                config.lanes,
                heirlooms.unwrap_or_else(Heirlooms::default),
            ),
            switchboard: Switchboard::new(happenings.clone(), config.switchboard),
            watch: Watch::new(config.stuck, &config.oom_files, config.recycle.is_some()),
            recycling: config.recycle.map(Recycling::new),
            zombies: BTreeSet::new(),
            deaths: BTreeMap::new(),
            ledger: Ledger::default(),
            config,
            running: HashMap::new(),
            trees: HashMap::new(),
            threads: Threads::default(),
            happenings,
            sink,
            stop_lines: Vec::new(),
            environment,
            pid_file,
            heirs: Heirs::default(),
            predecessor,
            control,
            control_name,
            last_word,
            desk: Desk::default(),
            leisurely: BTreeSet::new(),
            door_warning,
            dropped_messages: 0,
            untold_drops: 0,
            early,
            reforks: 0,
            phases: Phases::default(),
            roster: None,
            started: Instant::now(),
            has_ended: false,
        })
    }

    /// The one select loop.
    async fn take_in(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut inbox: mpsc::Receiver<Happening>,
        mut asked: mpsc::Receiver<Asked>,
        mut alarm: Alarm,
    ) {
        let mut has_door = true;
        for turn in 0_u64.. {
            // However much happens, those who ask get their turn, and so do those who happen to be asked about.
            if turn.is_multiple_of(ASKED_EVERY)
                && let Ok(asked) = asked.try_recv()
            {
                self.answer_asked(asked);
            }
            let deadline = self.supervisor.next_deadline().filter(|_| !self.has_ended);
            let until = deadline.map(|at| tokio::time::Instant::from_std(self.started + at));
            let look = self.watch.next_look().filter(|_| !self.has_ended);
            tokio::select! {
                // What has happened comes before what is wanted: an answer to a command should know it.
                biased;
                Some(happening) = inbox.recv() => self.note(happening),
                command = commands.recv(), if has_door => match command {
                    Some(command) => self.obey(command),
                    None => has_door = false,
                },
                () = sleep_until(until), if until.is_some() => self.feed(Event::DeadlinePassed),
                () = ring(&mut alarm, look), if look.is_some() => self.take_look(),
                Some(asked) = asked.recv() => self.answer_asked(asked),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start => {
                if let Some(warning) = self.door_warning.take() {
                    warn!("[master] {warning}");
                }
                self.phases.begin_boot();
                self.feed(Event::StartAsked);
            }
            Command::Stop { signal, lines } => {
                if self.stop_lines.is_empty() {
                    self.stop_lines = lines;
                }
                self.feed(Event::StopAsked { signal });
            }
            Command::Deliver { origin, text } => self.route_text(origin, None, text.into()),
            Command::Thread(news) => self.note_thread(news),
            Command::ReapAdopted => self.reap_adopted(),
            Command::Stack { pid, ticket } => self.answer_stack(pid, ticket),
            Command::Upgrade { plan, ticket } => self.upgrade(plan, ticket),
            Command::Request { request, ticket } => self.request(request, ticket),
            Command::Status { answer } => {
                // The one who asked may have given up waiting.
                let _ = answer.send(self.status().to_string());
            }
        }
    }

    fn note(&mut self, happening: Happening) {
        match happening {
            Happening::Frame { who, frame } => self.note_frame(who, frame),
            Happening::ChannelEnded { who, fault } => self.note_channel_ended(who, fault),
            Happening::Exited { who, exit, core_dumped, usage } => {
                self.watch.note_usage(who, core_dumped, usage);
                self.note_exited(who, exit);
            }
            Happening::LastWordsOver { who } => self.note_last_words_over(who),
            Happening::TreeGone { who } => {
                self.trees.remove(&who);
                self.feed(Event::TreeGone { who });
            }
            Happening::Accepted { door, connections } => self.listeners.offer(&door, connections),
            Happening::Introduced { id } => self.listeners.note_introduced(id),
            Happening::Rested { who } => self.listeners.note_rested(who),
            Happening::Lane { who, record } => self.listeners.note_lane_record(who, record),
            Happening::Look => self.listeners.look(),
            Happening::Record { who, record } => self.switchboard.note_record(who, record),
            Happening::Parted { who } => self.switchboard.part(who),
            Happening::Babbled { who } => self.switchboard.expel(who, "it sends what is no record"),
            Happening::Explained { who, time, stack } => self.note_explained(who, time, stack),
            Happening::Heir { number, news } => self.note_heir(number, news),
            Happening::Predecessor(news) => self.note_predecessor(news),
            Happening::EstateSettled => self.listeners.heirlooms.drop_rest(),
            Happening::TaskPanicked => {
                error!("[master] a task of the master panicked, exiting with code:1");
                self.end(1);
            }
            Happening::AcceptFailed { door, reason } => self.listeners.note_accept_failed(&door, &reason),
        }
        self.deal_connections();
    }

    fn note_channel_ended(&mut self, who: Occupant, fault: Option<String>) {
        let Some(running) = self.running.get_mut(&who) else { return };
        let was_open = std::mem::replace(&mut running.has_channel, false);
        let (number, pid, exit) = (running.number, running.pid(), running.exit);
        self.roster = None;
        self.pass_last_fences(who);
        self.switchboard.leave(who);
        (self.sink)(serde_json::json!({ "type": "channel-closed", "pid": pid }).to_string());
        match fault.filter(|_| was_open) {
            Some(fault) => {
                self.listeners.give_up_on_worker(who);
                let kind = who.seat.log_name();
                error!("[master] {kind}#{number}:{pid} is dropped: {fault}");
                self.feed(Event::ProtocolViolated { who });
            }
            None => {
                self.listeners.forget_worker(who);
                self.feed(Event::ChannelClosed { who });
            }
        }
        if let Some(exit) = exit {
            self.bury(who, exit);
        }
    }

    /// What a process said before it ended is still in its channel: the end is told when that has been read.
    fn note_exited(&mut self, who: Occupant, exit: Exit) {
        let Some(running) = self.running.get_mut(&who) else { return };
        running.exit = Some(exit);
        if running.has_channel {
            let happenings = self.happenings.clone();
            spawn_task(&self.happenings, async move {
                tokio::time::sleep(LAST_WORDS).await;
                let _ = happenings.send(Happening::LastWordsOver { who }).await;
            });
        } else {
            self.bury(who, exit);
        }
    }

    /// Somebody else holds the other end of an ended process' channel: it is closed from here.
    fn note_last_words_over(&mut self, who: Occupant) {
        if self.running.get(&who).is_some_and(|running| running.has_channel) {
            self.note_channel_ended(who, None);
        }
    }

    pub(super) fn bury(&mut self, who: Occupant, exit: Exit) {
        self.hear_last_report(who);
        self.feed(Event::WorkerExited { who, exit });
        if let Some(mut running) = self.running.remove(&who) {
            running.close();
        }
        self.bury_on_switchboard(who);
        self.watch.end(who);
        self.leisurely.remove(&who);
    }

    /// Memory that a process announced last must be known to those who are to read what lies in it: its socket is read to its end first.
    fn bury_on_switchboard(&mut self, who: Occupant) {
        if self.switchboard.bury(who) {
            return;
        }
        let happenings = self.happenings.clone();
        // Somebody else may hold the other end.
        spawn_task(&self.happenings, async move {
            tokio::time::sleep(LAST_WORDS).await;
            let _ = happenings.send(Happening::Parted { who }).await;
        });
    }

    /// Gives the supervisor an event and carries out what it wants, and what that leads to.
    pub(super) fn feed(&mut self, event: Event) {
        if self.has_ended {
            return;
        }
        self.handle_now(event);
        while let Some(effect) = self.supervisor.poll_effect() {
            self.carry_out(effect);
        }
    }

    /// As [`Shell::feed`], from within an effect: what follows is carried out by the loop that is above us.
    pub(super) fn handle_now(&mut self, event: Event) {
        self.roster = None;
        self.supervisor.handle(event, self.started.elapsed());
    }

    /// Ends the cluster: JavaScript is told to exit, and nothing is decided any more.
    pub(super) fn end(&mut self, code: i32) {
        self.has_ended = true;
        self.end_with_answers(code);
    }

    /// Who can be reached right now.
    pub(super) fn roster(&mut self) -> Rc<Roster> {
        if let Some(roster) = &self.roster {
            return Rc::clone(roster);
        }
        let roster = Rc::new(self.make_roster());
        self.roster = Some(Rc::clone(&roster));
        roster
    }

    fn make_roster(&self) -> Roster {
        let view = self.supervisor.view();
        let reachable = |process: &ProcessView| {
            let running = self.running.get(&process.who).filter(|running| running.has_channel)?;
            Some((process.who, running.pid()))
        };
        Roster {
            master_pid: std::process::id(),
            agent: view.agent.as_ref().and_then(reachable),
            apps: view.apps.iter().filter(|process| process.is_attached).filter_map(reachable).collect(),
        }
    }

    pub(super) fn log_stop_lines(&mut self) {
        for line in std::mem::take(&mut self.stop_lines) {
            info!("{line}");
        }
    }

    /// The kind of sender a process is.
    pub(super) fn origin_of(who: Occupant) -> Origin {
        if who.is_agent() { Origin::Agent } else { Origin::App }
    }
}

/// As [`sleep_until`], on the clock of the pulse.
async fn ring(alarm: &mut Alarm, at: Option<Duration>) {
    let Some(at) = at else { return std::future::pending().await };
    if alarm.wait_until(at).await.is_err() {
        tokio::time::sleep(at.saturating_sub(pulse::now())).await;
    }
}

async fn sleep_until(until: Option<tokio::time::Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
