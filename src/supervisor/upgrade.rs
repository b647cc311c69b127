//! A new master in the place of this one, without a moment in which nobody serves: the *heir*.
//!
//! It is started beside this master and given the listening sockets. When all its workers are ready it says so and is let take over; when it
//! has, this cluster drains as at any stop. Until then this one serves, and it goes on serving where the heir is lost, says nothing for too
//! long, or is not wanted any more. Nothing is renewed or resized meanwhile, as the heir would not know of it.

use std::time::Duration;

use super::{ABANDON_AFTER, Answer, Effect, Notice, Refusal, Report, RequestId, Supervisor};
use crate::slot::Exit;

/// How long a ready heir may take to take over: it has nothing to do but to begin.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(10);

/// What is under way where something else cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupation {
    /// A new master boots.
    Upgrade,
    /// Workers are renewed.
    Renewal,
    /// The number of workers changes.
    Resize,
}

/// Why there is no new master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeirFailure {
    /// It could not be started.
    NotStarted {
        /// Which step failed, and how.
        reason: String,
    },
    /// It ended before it had taken over.
    Ended {
        /// Its pid.
        pid: u32,
        /// How.
        exit: Exit,
    },
    /// It did not get ready in time, and was ended.
    Overdue {
        /// Its pid.
        pid: u32,
        /// So much time it had.
        limit: Duration,
    },
    /// It broke off the talk with this master, and was ended.
    Silent {
        /// Its pid.
        pid: u32,
    },
}

/// Where an upgrade is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    None,
    /// The heir has been asked for.
    Asked { limit: Duration },
    /// It boots, beside us.
    Booting { pid: u32, limit: Duration, due: Duration },
    /// It is ready and was told to begin.
    TakingOver { pid: u32, due: Duration },
    /// It was killed, and its end is awaited.
    Ending { pid: u32, failure: HeirFailure, due: Duration },
    /// It has taken over.
    Done,
}

/// The upgrade that is under way, and who waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Upgrade {
    stage: Stage,
    ticket: Option<RequestId>,
}

impl Upgrade {
    /// True while there may be an heir that has not taken over.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::None | Stage::Done)
    }

    /// True once an heir has taken over.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Booting { due, .. } | Stage::TakingOver { due, .. } | Stage::Ending { due, .. } => Some(due),
            Stage::None | Stage::Asked { .. } | Stage::Done => None,
        }
    }
}

impl Supervisor {
    /// True once another master serves in the place of this one.
    #[must_use]
    pub fn has_heir(&self) -> bool {
        self.upgrade.is_done()
    }

    /// True where this master has come in the place of another.
    #[must_use]
    pub fn is_heir(&self) -> bool {
        self.config.inherits
    }

    pub(super) fn upgrade(&mut self, limit: Duration, ticket: Option<RequestId>) {
        let hindrance = if !self.is_open() {
            Some(Refusal::NotRunning)
        } else if self.upgrade.is_under_way() {
            Some(Refusal::Busy(Occupation::Upgrade))
        } else if self.renewals.is_busy() {
            Some(Refusal::Busy(Occupation::Renewal))
        } else if self.resizing.is_on() {
            Some(Refusal::Busy(Occupation::Resize))
        } else {
            None
        };
        if let Some(refusal) = hindrance {
            return self.refuse(ticket, refusal);
        }
        self.upgrade = Upgrade { stage: Stage::Asked { limit }, ticket };
        self.effects.push_back(Effect::SpawnHeir);
    }

    pub(super) fn note_heir_spawned(&mut self, pid: u32, now: Duration) {
        if let Stage::Asked { limit } = self.upgrade.stage {
            self.upgrade.stage = Stage::Booting { pid, limit, due: now.saturating_add(limit) };
            self.report(Report::HeirStarted { pid });
        }
    }

    pub(super) fn note_heir_not_spawned(&mut self, reason: String, now: Duration) {
        if matches!(self.upgrade.stage, Stage::Asked { .. }) {
            self.give_upgrade_up(HeirFailure::NotStarted { reason }, now);
        }
    }

    pub(super) fn note_heir_ready(&mut self, now: Duration) {
        if let Stage::Booting { pid, .. } = self.upgrade.stage {
            self.upgrade.stage = Stage::TakingOver { pid, due: now + TAKE_OVER_LIMIT };
            self.effects.push_back(Effect::LetHeirTakeOver);
        }
    }

    /// It serves: this cluster is not needed any more.
    pub(super) fn note_heir_took_over(&mut self, now: Duration) {
        let Stage::TakingOver { pid, .. } = self.upgrade.stage else { return };
        self.upgrade.stage = Stage::Done;
        let ticket = self.upgrade.ticket.take();
        self.effects.push_back(Effect::Bequeath { heir: pid });
        self.report(Report::Upgraded { pid });
        self.tell(Notice::UpgradedToParent { pid });
        self.answer(ticket, Answer::Upgraded { pid });
        self.stop(None, now);
    }

    pub(super) fn note_heir_exited(&mut self, exit: Exit, now: Duration) {
        match std::mem::take(&mut self.upgrade.stage) {
            Stage::Booting { pid, .. } | Stage::TakingOver { pid, .. } => {
                self.give_upgrade_up(HeirFailure::Ended { pid, exit }, now);
            }
            Stage::Ending { failure, .. } => self.give_upgrade_up(failure, now),
            stage @ (Stage::None | Stage::Asked { .. } | Stage::Done) => self.upgrade.stage = stage,
        }
    }

    /// It lives, but says nothing any more, or nothing that can be understood.
    pub(super) fn note_heir_silent(&mut self, now: Duration) {
        if let Stage::Booting { pid, .. } | Stage::TakingOver { pid, .. } = self.upgrade.stage {
            self.end_heir(pid, HeirFailure::Silent { pid }, now);
        }
    }

    pub(super) fn pass_upgrade_deadline(&mut self, now: Duration) {
        if self.upgrade.deadline().is_none_or(|due| due > now) {
            return;
        }
        match std::mem::take(&mut self.upgrade.stage) {
            Stage::Booting { pid, limit, .. } => self.end_heir(pid, HeirFailure::Overdue { pid, limit }, now),
            Stage::TakingOver { pid, .. } => {
                self.end_heir(pid, HeirFailure::Overdue { pid, limit: TAKE_OVER_LIMIT }, now);
            }
            // The kernel does not let go of it; it will never run our code again.
            Stage::Ending { failure, .. } => self.give_upgrade_up(failure, now),
            stage @ (Stage::None | Stage::Asked { .. } | Stage::Done) => self.upgrade.stage = stage,
        }
    }

    /// The cluster is about to stop: a master that boots is not wanted any more. One that begins to serve just now leaves as any does.
    pub(super) fn abort_upgrade(&mut self) {
        match std::mem::take(&mut self.upgrade.stage) {
            Stage::Booting { .. } => self.effects.push_back(Effect::KillHeir),
            Stage::TakingOver { .. } => self.effects.push_back(Effect::TerminateHeir),
            Stage::Done => self.upgrade.stage = Stage::Done,
            Stage::None | Stage::Asked { .. } | Stage::Ending { .. } => {}
        }
        let ticket = self.upgrade.ticket.take();
        self.refuse(ticket, Refusal::NotRunning);
    }

    fn end_heir(&mut self, pid: u32, failure: HeirFailure, now: Duration) {
        self.upgrade.stage = Stage::Ending { pid, failure, due: now + ABANDON_AFTER };
        self.effects.push_back(Effect::KillHeir);
    }

    fn give_upgrade_up(&mut self, failure: HeirFailure, now: Duration) {
        self.upgrade.stage = Stage::None;
        let ticket = self.upgrade.ticket.take();
        // What moves at the switch may have begun to move.
        self.effects.push_back(Effect::Keep);
        self.report(Report::UpgradeFailed { failure: failure.clone() });
        self.refuse(ticket, Refusal::UpgradeFailed(failure));
        self.start_next_renewal(now);
    }

    /// All workers are ready, but there is a master before this one: what is shown to the outside waits until it has let go.
    pub(super) fn note_took_over(&mut self, now: Duration) {
        self.has_taken_over = true;
        if let Some(address) = self.address_to_show.take() {
            self.become_ready(&address, now);
        }
    }
}
