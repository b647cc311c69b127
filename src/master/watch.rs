//! The watch over the processes: looks at what their main threads do, and has one that stands still explained and replaced.
//!
//! Whether one stands still is decided by [`Standstill`], which is pure. Here are the looks: one timer for all processes, which runs
//! only while somebody is in service, reads their pages, and asks the kernel only about those that run.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tracing::{error, info, warn};

use super::Sink;
use super::oom::OomKills;
use super::shell::{Happening, Shell, spawn_task};
use super::vitals::LoopMarks;
use crate::message::address::{Occupant, WorkerId};
use crate::slot::{Doing, Finding, Hindrance, SlotState, Standstill, StuckPolicy, next_beat};
use crate::supervisor::{Event, ProcessView};
use crate::sys::process_facts::{RunClock, kernel_view, process_facts, resident_memory};
use crate::sys::pulse::{self, Loop, PulseReader, Text, Word};
use crate::sys::spawn::Usage;

/// How long a process has to take its own stack, and how often that is looked for.
const STACK_PATIENCE: Duration = Duration::from_secs(1);
const STACK_LOOK: Duration = Duration::from_millis(10);

/// How often memory is looked at, and how many looks are kept: the last two minutes.
const SAMPLE_PERIOD: Duration = Duration::from_secs(10);
const SAMPLES: usize = 12;
/// How often it is asked who has served long enough, where nothing else is looked at more often.
const RECYCLE_PERIOD: Duration = Duration::from_secs(1);
/// How often memory is looked at then.
const RECYCLE_SAMPLE_PERIOD: Duration = Duration::from_secs(2);

/// What becomes of processes that stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StuckConfig {
    /// How long is too long.
    pub steer_after: Duration,
    /// When it is killed.
    pub kill_after: Duration,
    /// Whether its JavaScript stack is taken before.
    pub takes_stack: bool,
    /// False where nobody is killed for it: dead apps are not replaced there, or somebody debugs.
    pub kills: bool,
}

/// What is known of one process' life. Kept until it is buried.
pub(super) struct Life {
    pub(super) number: WorkerId,
    pub(super) pid: u32,
    pub(super) pulse: Rc<PulseReader>,
    /// On the clock of the pulse.
    pub(super) started_at: Duration,
    /// How long it took until it was ready, once it was.
    pub(super) booted_in: Option<Duration>,
    /// Its resident memory from time to time, the oldest first.
    pub(super) memory: VecDeque<(Duration, u64)>,
    /// What its event loop had done at the same times.
    pub(super) marks: LoopMarks,
    /// The most resident memory and the time on a processor, once it has ended.
    pub(super) peak: u64,
    pub(super) cpu: Duration,
    pub(super) core_dumped: bool,
    /// The master has sent it SIGKILL.
    pub(super) was_killed: bool,
    /// Its end has been put on record, and with that its counts.
    pub(super) is_on_record: bool,
    /// Since when it has served for longer than it should.
    pub(super) beyond_since: Option<Duration>,
}

struct Member {
    life: Life,
    clock: RunClock,
    /// Present while it is in service.
    standstill: Option<Standstill>,
}

impl Member {
    fn look(&mut self, now: Duration, kills: bool) -> Finding {
        let Self { life: Life { pid, pulse, .. }, clock, standstill } = self;
        let Some(standstill) = standstill.as_mut().filter(|standstill| standstill.next_look() <= now) else {
            return Finding::Nothing;
        };
        let doing = match pulse.event_loop() {
            Loop::Runs(since) => Doing::Running { since },
            Loop::Waits(since) => Doing::Idle { since },
            Loop::Unknown => Doing::Waiting,
        };
        let hindrance = || {
            let (facts, times) = (process_facts(*pid), clock.read());
            Hindrance {
                is_stopped: facts.is_stopped(),
                is_runnable: facts.is_runnable(),
                waited: times.waited,
                ran: times.ran,
            }
        };
        standstill.look(now, doing, hindrance, kills && pulse.word(Word::Inspector) == 0)
    }

    fn stands_still(&self) -> bool {
        self.standstill.as_ref().is_some_and(Standstill::stands_still)
    }
}

/// All processes that are watched.
pub(super) struct Watch {
    config: Option<StuckConfig>,
    members: HashMap<Occupant, Member>,
    next_look: Option<Duration>,
    /// When memory is looked at again.
    next_sample: Duration,
    /// Whether somebody may have served long enough.
    recycles: bool,
    pub(super) oom: OomKills,
}

impl Watch {
    /// Without a config nobody is watched for standing still; their memory is looked at all the same. `oom_files` are the cgroups'
    /// counters of kills.
    pub(super) fn new(config: Option<StuckConfig>, oom_files: &[String], recycles: bool) -> Self {
        let oom = OomKills::new(oom_files);
        Self { config, members: HashMap::new(), next_look: None, next_sample: Duration::ZERO, recycles, oom }
    }

    fn period(&self) -> Duration {
        let period = if self.recycles { RECYCLE_PERIOD } else { SAMPLE_PERIOD };
        self.config.map_or(period, |config| config.steer_after)
    }

    /// A process has been forked, with a page.
    pub(super) fn begin(&mut self, who: Occupant, number: WorkerId, pid: u32, pulse: Rc<PulseReader>) {
        let life = Life {
            number,
            pid,
            pulse,
            started_at: pulse::now(),
            booted_in: None,
            memory: VecDeque::new(),
            marks: LoopMarks::default(),
            peak: 0,
            cpu: Duration::ZERO,
            core_dumped: false,
            was_killed: false,
            is_on_record: false,
            beyond_since: None,
        };
        self.members.insert(who, Member { life, clock: RunClock::of(pid), standstill: None });
    }

    /// The process with this pid is ready, so long after its fork.
    pub(super) fn note_booted(&mut self, pid: u32, took: Duration) {
        if let Some(member) = self.members.values_mut().find(|member| member.life.pid == pid) {
            member.life.booted_in = Some(took);
        }
    }

    /// The master sends it SIGKILL.
    pub(super) fn note_killed(&mut self, who: Occupant) {
        if let Some(member) = self.members.get_mut(&who) {
            member.life.was_killed = true;
        }
    }

    /// It has ended, and was reaped.
    pub(super) fn note_usage(&mut self, who: Occupant, core_dumped: bool, usage: Usage) {
        if let Some(Member { life, .. }) = self.members.get_mut(&who) {
            (life.core_dumped, life.peak, life.cpu) = (core_dumped, usage.peak_memory, usage.cpu);
        }
    }

    /// All of those that have not been buried.
    pub(super) fn lives(&self) -> impl Iterator<Item = (Occupant, &Life)> {
        self.members.iter().map(|(who, member)| (*who, &member.life))
    }

    /// As [`Watch::life`], to change it.
    pub(super) fn life_mut(&mut self, who: Occupant) -> Option<&mut Life> {
        self.members.get_mut(&who).map(|member| &mut member.life)
    }

    /// What is known of a process that has not been buried.
    pub(super) fn life(&self, who: Occupant) -> Option<&Life> {
        self.members.get(&who).map(|member| &member.life)
    }

    /// A process is gone.
    pub(super) fn end(&mut self, who: Occupant) {
        self.members.remove(&who);
    }

    /// Somebody may have come into service.
    pub(super) fn wake(&mut self) {
        let soon = pulse::now() + self.period();
        self.next_look = Some(self.next_look.map_or(soon, |at| at.min(soon)));
    }

    /// A process has been given something to do, so it may stand still soon.
    pub(super) fn expect_work(&mut self, who: Occupant) {
        let Some(standstill) = self.members.get_mut(&who).and_then(|member| member.standstill.as_mut()) else { return };
        standstill.expect_work(pulse::now());
        let at = standstill.next_look();
        self.next_look = Some(self.next_look.map_or(at, |next| next.min(at)));
    }

    /// When the next look is due, on the clock of the pulse.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.next_look
    }

    fn look(&mut self, in_service: &[ProcessView]) -> Vec<(Occupant, Finding)> {
        let now = pulse::now();
        self.sample_memory(now);
        self.next_look = (!in_service.is_empty()).then_some(now + self.period());
        let Some(config) = self.config else { return Vec::new() };
        let policy = StuckPolicy { steer_after: config.steer_after, kill_after: config.kill_after };
        let mut findings = Vec::new();
        for (who, member) in &mut self.members {
            if !in_service.iter().any(|process| process.who == *who) {
                member.standstill = None;
                continue;
            }
            member.standstill.get_or_insert_with(|| Standstill::new(policy, now));
            match member.look(now, config.kills) {
                Finding::Nothing => {}
                finding => findings.push((*who, finding)),
            }
        }
        let watched = self.members.values().filter_map(|member| member.standstill.as_ref());
        self.next_look = watched.map(Standstill::next_look).min();
        if self.recycles {
            self.wake();
        }
        findings
    }
}

impl Watch {
    fn sample_memory(&mut self, now: Duration) {
        if now < self.next_sample {
            return;
        }
        // On the same beat as the looks at those that do nothing, so that nobody wakes up for memory alone.
        let period = if self.recycles { RECYCLE_SAMPLE_PERIOD } else { SAMPLE_PERIOD };
        self.next_sample = next_beat(now + Duration::from_nanos(1), period);
        for Member { life, .. } in self.members.values_mut() {
            if life.memory.len() == SAMPLES {
                life.memory.pop_front();
            }
            life.memory.push_back((now, resident_memory(life.pid)));
            life.marks.set(&life.pulse, now);
        }
    }
}

impl Shell {
    /// A look at everybody in service.
    pub(super) fn take_look(&mut self) {
        let view = self.supervisor.view();
        let processes = view.agent.into_iter().chain(view.apps.iter().copied());
        let in_service: Vec<_> = processes.filter(|process| process.state == SlotState::Ready).collect();
        for (who, finding) in self.watch.look(&in_service) {
            match finding {
                Finding::Nothing => {}
                Finding::StandsStill(time) => self.note_standstill(who, time),
                Finding::IsLost(time) => self.explain_standstill(who, time),
                Finding::GoesOn(time) => self.note_goes_on(who, time),
            }
        }
        self.deal_connections();
        self.recycle(&view);
    }

    fn note_standstill(&mut self, who: Occupant, time: Duration) {
        self.listeners.note_still(who, true);
        let _around = self.span_of(who).entered();
        let Some(member) = self.watch.members.get(&who) else { return };
        let consequence = if who.is_agent() { "" } else { ", and gets no new connections" };
        warn!(
            "[master] {} stands still: it has not come back to its event loop for {}{consequence}",
            name(who, member),
            seconds(time)
        );
        self.announce(&stuck_event("steer", who, member, time));
    }

    fn note_goes_on(&mut self, who: Occupant, time: Duration) {
        self.listeners.note_still(who, false);
        let _around = self.span_of(who).entered();
        let Some(member) = self.watch.members.get(&who) else { return };
        info!("[master] {} goes on after it stood still for {}", name(who, member), seconds(time));
        self.announce(&stuck_event("over", who, member, time));
    }

    /// Before it is killed: where it stands. The process is asked for its stack, and has a second to answer.
    fn explain_standstill(&mut self, who: Occupant, time: Duration) {
        let takes_stack = self.watch.config.is_some_and(|config| config.takes_stack);
        let Some(member) = self.watch.members.get(&who) else { return };
        let pulse = Rc::clone(&member.life.pulse);
        let happenings = self.happenings.clone();
        spawn_task(&self.happenings, async move {
            let stack = if takes_stack { take_stack(&pulse).await } else { None };
            let _ = happenings.send(Happening::Explained { who, time, stack }).await;
        });
    }

    /// It has been explained as far as it can be, and is replaced.
    pub(super) fn note_explained(&mut self, who: Occupant, time: Duration, stack: Option<String>) {
        let _around = self.span_of(who).entered();
        let Some(member) = self.watch.members.get(&who).filter(|member| member.stands_still()) else { return };
        // What has gone on while it was asked is let go on; the next look says so.
        if !matches!(member.life.pulse.event_loop(), Loop::Runs(_)) {
            return;
        }
        let facts = process_facts(member.life.pid);
        let kernel = kernel_view(member.life.pid);
        let mut text = format!(
            "[master] {} has stood still for {} and is replaced: state {}, memory {} MB",
            name(who, member),
            seconds(time),
            facts.state,
            facts.resident >> 20
        );
        match &stack {
            Some(stack) => text.extend(["\n", stack.trim_end()]),
            None => text.push_str(", no JavaScript stack: it is blocked outside of JavaScript"),
        }
        for line in &kernel {
            text.push_str("\n    kernel: ");
            text.push_str(line);
        }
        error!("{text}");
        let mut event = stuck_event("kill", who, member, time);
        event["stack"] = json!(stack);
        event["kernel"] = json!(kernel);
        event["state"] = json!(facts.state);
        event["memory"] = json!(facts.resident);
        self.announce(&event);
        self.feed(Event::StoodStill { who });
    }

    /// The JavaScript stack of the process with this pid, also of one that stands still; none where it is idle or blocked outside of
    /// JavaScript, or there is no such process.
    pub(super) fn answer_stack(&self, pid: u32, ticket: u32) {
        let sink = Sink::clone(&self.sink);
        let member = self.watch.members.values().find(|member| member.life.pid == pid);
        let pulse = member.map(|member| Rc::clone(&member.life.pulse));
        spawn_task(&self.happenings, async move {
            let stack = match pulse {
                Some(pulse) => take_stack(&pulse).await,
                None => None,
            };
            sink(json!({ "type": "stack", "ticket": ticket, "stack": stack }).to_string());
        });
    }
}

pub(super) async fn take_stack(pulse: &PulseReader) -> Option<String> {
    let before = pulse.number_of(Text::Stack);
    pulse.ask_for_stack().ok()?;
    let limit = tokio::time::Instant::now() + STACK_PATIENCE;
    while pulse.number_of(Text::Stack) == before {
        if tokio::time::Instant::now() > limit {
            return None;
        }
        tokio::time::sleep(STACK_LOOK).await;
    }
    pulse.text(Text::Stack)
}

fn name(who: Occupant, Member { life, .. }: &Member) -> String {
    name_of(who, life.number, life.pid)
}

pub(super) fn name_of(who: Occupant, number: WorkerId, pid: u32) -> String {
    let kind = if who.is_agent() { "agent_worker" } else { "app_worker" };
    format!("{kind}#{number}:{pid}")
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

fn stuck_event(stage: &str, who: Occupant, member: &Member, time: Duration) -> serde_json::Value {
    json!({
        "type": "stuck", "stage": stage, "role": who.seat.role(),
        "id": member.life.number.0, "pid": member.life.pid, "slot": who.seat.slot(), "generation": who.generation.0,
        "forMs": u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
    })
}
