//! New processes for old ones: a slot boots a successor first; when it is ready, its predecessor is asked to leave. So many slots at once
//! as the configuration says, spares first: who shows that new code does not boot should be one that nobody needs. A successor that does
//! not get ready ends it: the old workers whose successors are not ready keep their seats. The agent, where it is meant too, comes last.
//!
//! Where the two could not listen side by side, one seat after the other is emptied first and then filled again.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Answer, BootFailure, Refusal, Renewal, Report, RequestId, Supervisor};
use crate::message::address::{Occupant, Seat, SlotIndex, WorkerId};
use crate::slot::{Exit, ExitReason, Process, Role, Slot, SlotState};

/// One reload, or the restart of one worker.
#[derive(Clone, Debug)]
struct Job {
    what: Renewal,
    slots: Vec<SlotIndex>,
    with_agent: bool,
    tickets: Vec<RequestId>,
    /// Slots whose turn has not come.
    waiting: VecDeque<SlotIndex>,
    /// Slots whose turn it is.
    booting: Vec<SlotIndex>,
    /// The agent's turn has come.
    is_agents_turn: bool,
}

/// How far a reload has come, or the restart of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many places are renewed; the agent's counts as one.
    pub total: u32,
    /// Of these, the ones that have been.
    pub done: u32,
}

/// A process did not get ready; those that wait for it are answered when its end is seen, so that they hear how it ended.
#[derive(Clone, Debug)]
struct Failure {
    who: Occupant,
    number: WorkerId,
    tickets: Vec<RequestId>,
}

/// What is going on, and what waits for that. A second reload waits, once.
#[derive(Clone, Debug, Default)]
pub(super) struct Renewals {
    current: Option<Job>,
    queue: VecDeque<Job>,
    failures: Vec<Failure>,
}

impl Renewals {
    /// True while slots are renewed.
    pub(super) fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// True while the agent is away for its successor.
    pub(super) fn renews_agent(&self) -> bool {
        self.current.as_ref().is_some_and(|job| job.is_agents_turn)
    }

    /// How far it has come; none where nothing is renewed.
    pub(super) fn progress(&self) -> Option<Progress> {
        let Job { slots, with_agent, waiting, booting, .. } = self.current.as_ref()?;
        let agent = usize::from(*with_agent);
        let (total, left) = (slots.len() + agent, waiting.len() + booting.len() + agent);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Progress { total: count(total), done: count(total.saturating_sub(left)) })
    }

    /// The slots whose turn it is.
    pub(super) fn booting(&self) -> &[SlotIndex] {
        self.current.as_ref().map_or(&[], |job| &job.booting)
    }

    /// Everybody who waits for an answer.
    pub(super) fn take_tickets(&mut self) -> Vec<RequestId> {
        let jobs = self.current.iter_mut().chain(&mut self.queue).map(|job| &mut job.tickets);
        let failures = self.failures.iter_mut().map(|failure| &mut failure.tickets);
        jobs.chain(failures).flat_map(std::mem::take).collect()
    }

    /// The cluster is about to stop: nothing is renewed any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Job {
    fn new(what: Renewal, slots: Vec<SlotIndex>, with_agent: bool, ticket: Option<RequestId>) -> Self {
        Self {
            what,
            slots,
            with_agent,
            tickets: ticket.into_iter().collect(),
            waiting: VecDeque::new(),
            booting: Vec::new(),
            is_agents_turn: false,
        }
    }
}

impl Supervisor {
    pub(super) fn reload(&mut self, agent: Option<bool>, ticket: Option<RequestId>, now: Duration) {
        if !self.is_open() {
            return self.refuse(ticket, Refusal::NotRunning);
        }
        let with_agent = agent.unwrap_or(self.config.reload_agent);
        match self.renewals.queue.iter_mut().find(|job| job.what == Renewal::Reload) {
            Some(job) => {
                job.with_agent |= with_agent;
                job.tickets.extend(ticket);
            }
            None => self.renewals.queue.push_back(Job::new(Renewal::Reload, Vec::new(), with_agent, ticket)),
        }
        self.start_next_renewal(now);
    }

    pub(super) fn restart(&mut self, number: WorkerId, ticket: Option<RequestId>, now: Duration) {
        if !self.is_open() {
            return self.refuse(ticket, Refusal::NotRunning);
        }
        let has_it = |slot: &&Slot| slot.occupant.as_ref().is_some_and(|p| p.number == number && p.is_alive());
        let Some(Seat::App(index)) = self.apps.iter().find(has_it).map(Slot::seat) else {
            return self.refuse(ticket, Refusal::NoSuchWorker(number));
        };
        self.renewals.queue.push_back(Job::new(Renewal::Restart, vec![index], false, ticket));
        self.start_next_renewal(now);
    }

    pub(super) fn restart_agent(&mut self, ticket: Option<RequestId>, now: Duration) {
        if !self.is_open() {
            return self.refuse(ticket, Refusal::NotRunning);
        }
        self.renewals.queue.push_back(Job::new(Renewal::Restart, Vec::new(), true, ticket));
        self.start_next_renewal(now);
    }

    /// While a new master boots they wait: it may make them needless.
    pub(super) fn start_next_renewal(&mut self, now: Duration) {
        if self.renewals.is_busy() || self.upgrade.is_under_way() || !self.is_open() {
            return;
        }
        let Some(mut job) = self.renewals.queue.pop_front() else { return };
        // A slot that was closed while the restart of its worker waited is done with.
        job.slots.retain(|index| self.apps.get(index.0 as usize).is_some_and(|slot| slot.role != Role::Closed));
        if job.what == Renewal::Reload {
            job.slots = self.slots_to_reload();
            self.report(Report::ReloadStarted { count: self.target() });
        }
        let mut dismissed = Vec::new();
        for index in job.slots.clone() {
            let occupant = self.apps.get(index.0 as usize).and_then(|slot| slot.occupant.as_ref());
            let booting = occupant.filter(|process| process.state() == SlotState::Starting);
            match booting.map(|process| (process.who(), process.is_unforked())) {
                // It has read nothing yet: it gets the new code without us.
                Some((_, true)) if self.config.shares_sockets => job.booting.push(index),
                // It may have read the old code already, and nobody is served by it yet.
                Some((who, false)) => {
                    dismissed.push(who);
                    if self.config.shares_sockets {
                        job.booting.push(index);
                    } else {
                        job.waiting.push_back(index);
                    }
                }
                _ => job.waiting.push_back(index),
            }
        }
        self.renewals.current = Some(job);
        for who in dismissed {
            self.dismiss(who, now);
            if self.config.shares_sockets {
                self.spawn(who.seat, now);
            }
        }
        self.advance_renewal(now);
    }

    /// Spares first, then the others in their order.
    fn slots_to_reload(&self) -> Vec<SlotIndex> {
        let of = |role| {
            let has_role = move |slot: &&Slot| slot.role == role;
            self.apps.iter().filter(has_role).filter_map(|slot| match slot.seat() {
                Seat::App(index) => Some(index),
                Seat::Agent => None,
            })
        };
        of(Role::Spare).chain(of(Role::Serving)).collect()
    }

    /// Begins the turns that may begin, and ends the whole when none is left.
    fn advance_renewal(&mut self, now: Duration) {
        let limit = if self.config.shares_sockets { self.config.reload_concurrency.max(1) as usize } else { 1 };
        loop {
            let Some(job) = self.renewals.current.as_mut() else { return };
            if job.booting.len() >= limit {
                return;
            }
            let Some(index) = job.waiting.pop_front() else { break };
            job.booting.push(index);
            self.begin_turn(index, now);
        }
        let Some(job) = self.renewals.current.as_mut().filter(|job| job.booting.is_empty()) else { return };
        if !job.with_agent {
            return self.finish_renewal(now);
        }
        if !std::mem::replace(&mut job.is_agents_turn, true) {
            self.renew_agent(now);
        }
    }

    /// Boots a successor. Where it could not listen beside its predecessor the seat is emptied first, or filled at once where
    /// nobody sits there. One that boots was forked since the renewal began.
    fn begin_turn(&mut self, index: SlotIndex, now: Duration) {
        let Some(slot) = self.apps.get(index.0 as usize) else { return };
        match slot.occupant.as_ref().map(|process| (process.who(), process.state())) {
            Some((_, SlotState::Starting)) => {}
            Some(_) if self.config.shares_sockets => self.spawn(Seat::App(index), now),
            Some((who, SlotState::Ready)) => self.dismiss(who, now),
            Some(_) => {}
            None => self.spawn(Seat::App(index), now),
        }
    }

    /// The occupant of a seat that was emptied to be filled again has gone.
    pub(super) fn refill_emptied(&mut self, who: Occupant, now: Duration) {
        let Some(slot) = self.slot(who.seat).filter(|slot| slot.role != Role::Closed) else { return };
        if slot.occupant.as_ref().is_some_and(|process| process.who() == who && process.is_dismissed) {
            self.spawn(who.seat, now);
        }
    }

    /// A process became ready: those of its slot that served before it may go.
    pub(super) fn retire_predecessors(&mut self, who: Occupant, now: Duration) {
        let Seat::App(index) = who.seat else { return };
        let Some(slot) = self.apps.get(index.0 as usize) else { return };
        let older: Vec<Occupant> =
            slot.departing.iter().filter(|process| process.state() == SlotState::Ready).map(Process::who).collect();
        for predecessor in older {
            self.dismiss(predecessor, now);
        }
        self.end_turn(index, now);
    }

    /// A slot needs no turn any more: it has a process that was forked since the renewal began, or it is closed.
    pub(super) fn end_turn(&mut self, index: SlotIndex, now: Duration) {
        let Some(job) = self.renewals.current.as_mut() else { return };
        let before = job.waiting.len() + job.booting.len();
        job.waiting.retain(|waiting| *waiting != index);
        job.booting.retain(|booting| *booting != index);
        if job.waiting.len() + job.booting.len() < before {
            self.advance_renewal(now);
        }
    }

    /// A process is lost: if it was to take over, the renewal ends and the old workers stay.
    pub(super) fn abort_renewal(&mut self, who: Occupant, now: Duration) {
        let Seat::App(index) = who.seat else { return };
        let occupant = self.apps.get(index.0 as usize).and_then(|slot| slot.occupant.as_ref());
        let Some(process) = occupant.filter(|process| process.who() == who) else { return };
        // Without shared sockets an old worker sits there until its turn comes, and its end is no failure of a new one.
        let is_successor = self.config.shares_sockets || !(process.is_dismissed || process.ready_at.is_some());
        if is_successor && self.renewals.booting().contains(&index) {
            self.fail_renewal(who, now);
        }
    }

    fn fail_renewal(&mut self, lost: Occupant, now: Duration) {
        let Some((number, pid)) = self.process(lost).map(|process| (process.number, process.pid)) else { return };
        let Some(job) = self.renewals.current.take() else { return };
        self.report(Report::ReloadFailed { what: job.what, who: lost, number, pid });
        self.expect_end_of(lost, number, job.tickets);
        for index in job.booting {
            self.give_seat_back(index, lost, now);
        }
        self.start_next_renewal(now);
    }

    /// Those who wait are answered as soon as it is known how this process ended.
    pub(super) fn expect_end_of(&mut self, who: Occupant, number: WorkerId, tickets: Vec<RequestId>) {
        if !tickets.is_empty() {
            self.renewals.failures.push(Failure { who, number, tickets });
        }
    }

    /// The end of a process is seen, or will never be.
    pub(super) fn note_boot_failure(&mut self, who: Occupant, end: Option<(Exit, ExitReason)>) {
        let process = self.process(who);
        let (pid, was_overdue) = process.map_or((None, false), |process| (process.pid, process.was_overdue));
        let is_it = |failure: &mut Failure| failure.who == who;
        let told: Vec<Failure> = self.renewals.failures.extract_if(.., is_it).collect();
        for Failure { who, number, tickets } in told {
            let failure = BootFailure { who, number, pid, was_overdue, end };
            for ticket in tickets {
                self.refuse(Some(ticket), Refusal::BootFailed(failure));
            }
        }
    }

    fn give_seat_back(&mut self, index: SlotIndex, lost: Occupant, now: Duration) {
        let Some(slot) = self.apps.get_mut(index.0 as usize) else { return };
        let Some(position) = slot.departing.iter().rposition(|process| process.state() == SlotState::Ready) else {
            return;
        };
        let old = slot.departing.remove(position);
        let successor = slot.occupant.replace(old);
        if let Some(successor) = successor {
            let who = successor.who();
            slot.departing.push(successor);
            // The end of the one that failed is an accident to tell of, that of the others is not.
            if who == lost {
                self.ask_to_leave(who, now);
            } else {
                self.dismiss(who, now);
            }
        }
    }

    /// A new agent is there: if it was the agent's turn, all is done.
    pub(super) fn end_agent_turn(&mut self, now: Duration) {
        if self.renewals.current.as_ref().is_some_and(|job| job.is_agents_turn) {
            self.finish_renewal(now);
        }
    }

    /// An agent is lost that nobody sent away: if it was the new one, the reload has failed.
    pub(super) fn abort_agent_turn(&mut self, who: Occupant, now: Duration) {
        if self.renewals.current.as_ref().is_some_and(|job| job.is_agents_turn) {
            self.fail_renewal(who, now);
        }
    }

    fn finish_renewal(&mut self, now: Duration) {
        let Some(job) = self.renewals.current.take() else { return };
        let workers = self.target();
        let answer = match job.what {
            Renewal::Reload => {
                self.report(Report::ReloadDone { count: workers, agent: job.with_agent });
                Answer::Reloaded { workers, agent: job.with_agent }
            }
            Renewal::Restart => Answer::Done,
        };
        for ticket in job.tickets {
            self.answer(Some(ticket), answer.clone());
        }
        self.start_next_renewal(now);
    }
}
