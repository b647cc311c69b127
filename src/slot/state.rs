//! The states of one process in a slot and every way from one to another.
//!
//! | state \ event | BecameReady | LostChannel | AskedToLeave | StartedKill | Exited |
//! |---|---|---|---|---|---|
//! | Starting | Ready | Draining | Draining | Killing | Exited |
//! | Ready | – | Draining | Draining | Killing | Exited |
//! | Draining | late | – | – | Killing | Exited |
//! | Killing | late | – | – | – | Exited |
//! | Exited | late | late | late | late | late |

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// Asked for or forked, not ready yet.
    Starting,
    /// In service.
    Ready,
    /// On its way out by its own or our will; finishes what it has.
    Draining,
    /// SIGKILL has been sent.
    Killing,
    /// Its end has been seen.
    Exited,
}

/// What can happen to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessEvent {
    /// It reported that it is ready.
    BecameReady,
    /// Its channel closed.
    LostChannel,
    /// We asked it to leave.
    AskedToLeave,
    /// We sent SIGKILL.
    StartedKill,
    /// Its end was seen.
    Exited,
}

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Transition {
    /// The process is in this state now.
    To(SlotState),
    /// Nothing new.
    Unchanged,
    /// The event came too late to mean anything; it must have no effect.
    Late,
}

impl SlotState {
    /// Every state, for tests that cover all pairs.
    pub const ALL: [Self; 5] = [Self::Starting, Self::Ready, Self::Draining, Self::Killing, Self::Exited];

    /// What `event` means in this state.
    pub fn on(self, event: ProcessEvent) -> Transition {
        use ProcessEvent::{AskedToLeave, BecameReady, Exited, LostChannel, StartedKill};
        match (self, event) {
            (Self::Starting, BecameReady) => Transition::To(Self::Ready),
            (Self::Starting | Self::Ready, LostChannel | AskedToLeave) => Transition::To(Self::Draining),
            (Self::Starting | Self::Ready | Self::Draining, StartedKill) => Transition::To(Self::Killing),
            (Self::Starting | Self::Ready | Self::Draining | Self::Killing, Exited) => Transition::To(Self::Exited),
            (Self::Ready, BecameReady)
            | (Self::Draining | Self::Killing, LostChannel | AskedToLeave)
            | (Self::Killing, StartedKill) => Transition::Unchanged,
            (Self::Draining | Self::Killing, BecameReady)
            | (Self::Exited, BecameReady | LostChannel | AskedToLeave | StartedKill | Exited) => Transition::Late,
        }
    }

    /// The word in status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Killing => "killing",
            Self::Exited => "exited",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [ProcessEvent; 5] = [
        ProcessEvent::BecameReady,
        ProcessEvent::LostChannel,
        ProcessEvent::AskedToLeave,
        ProcessEvent::StartedKill,
        ProcessEvent::Exited,
    ];

    #[test]
    fn no_event_leads_back_towards_service() {
        let rank = |state: SlotState| SlotState::ALL.iter().position(|other| *other == state);
        for state in SlotState::ALL {
            for event in EVENTS {
                if let Transition::To(next) = state.on(event) {
                    assert!(rank(next) > rank(state), "{state:?} on {event:?} went to {next:?}");
                }
            }
        }
    }

    #[test]
    fn only_a_starting_process_becomes_ready() {
        for state in SlotState::ALL {
            let becomes_ready = state.on(ProcessEvent::BecameReady) == Transition::To(SlotState::Ready);
            assert_eq!(becomes_ready, state == SlotState::Starting, "{state:?}");
        }
    }

    #[test]
    fn an_exited_process_takes_nothing_in() {
        for event in EVENTS {
            assert_eq!(SlotState::Exited.on(event), Transition::Late, "{event:?}");
        }
    }

    #[test]
    fn every_live_state_ends_by_an_exit() {
        for state in &SlotState::ALL[..4] {
            assert_eq!(state.on(ProcessEvent::Exited), Transition::To(SlotState::Exited), "{state:?}");
        }
    }
}
