//! [`Tally`]: what a life went through, so that a sweep can show that it met what it is meant to test.

/// How often something was seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub events: u64,
    pub became_ready: u64,
    pub start_failed: u64,
    pub capacity_lost: u64,
    pub stopped: u64,
    pub rested: u64,
    pub app_refills: u64,
    pub delayed_refills: u64,
    pub slow_refills: u64,
    pub agent_refills: u64,
    pub reloads_done: u64,
    pub reloads_failed: u64,
    pub abandoned: u64,
    pub overdue: u64,
    pub closed_by_debugger: u64,
    pub sticky_ports: u64,
    pub reloads_answered: u64,
    pub resized: u64,
    pub requests_done: u64,
    pub boots_told_of: u64,
    pub requests_refused: u64,
    pub takeovers: u64,
    pub isolated: u64,
    pub degraded: u64,
    pub gave_up: u64,
    pub stops_delayed: u64,
}

impl Tally {
    /// Each of the numbers with its name.
    pub fn rows(&self) -> [(&'static str, u64); 26] {
        [
            ("events", self.events),
            ("became ready", self.became_ready),
            ("start failed", self.start_failed),
            ("capacity lost", self.capacity_lost),
            ("stopped", self.stopped),
            ("came to rest", self.rested),
            ("app refills", self.app_refills),
            ("delayed refills", self.delayed_refills),
            ("slow refills", self.slow_refills),
            ("agent refills", self.agent_refills),
            ("reloads done", self.reloads_done),
            ("reloads failed", self.reloads_failed),
            ("abandoned", self.abandoned),
            ("overdue", self.overdue),
            ("closed by debugger", self.closed_by_debugger),
            ("sticky ports", self.sticky_ports),
            ("reloads answered", self.reloads_answered),
            ("resized", self.resized),
            ("requests done", self.requests_done),
            ("boots told of", self.boots_told_of),
            ("requests refused", self.requests_refused),
            ("takeovers", self.takeovers),
            ("isolated", self.isolated),
            ("degraded", self.degraded),
            ("gave up", self.gave_up),
            ("stops delayed", self.stops_delayed),
        ]
    }

    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.became_ready += other.became_ready;
        self.start_failed += other.start_failed;
        self.capacity_lost += other.capacity_lost;
        self.stopped += other.stopped;
        self.rested += other.rested;
        self.app_refills += other.app_refills;
        self.delayed_refills += other.delayed_refills;
        self.slow_refills += other.slow_refills;
        self.agent_refills += other.agent_refills;
        self.reloads_done += other.reloads_done;
        self.reloads_failed += other.reloads_failed;
        self.abandoned += other.abandoned;
        self.overdue += other.overdue;
        self.closed_by_debugger += other.closed_by_debugger;
        self.sticky_ports += other.sticky_ports;
        self.reloads_answered += other.reloads_answered;
        self.resized += other.resized;
        self.requests_done += other.requests_done;
        self.boots_told_of += other.boots_told_of;
        self.requests_refused += other.requests_refused;
        self.takeovers += other.takeovers;
        self.isolated += other.isolated;
        self.degraded += other.degraded;
        self.gave_up += other.gave_up;
        self.stops_delayed += other.stops_delayed;
    }
}
