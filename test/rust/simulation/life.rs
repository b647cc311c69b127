//! What processes do: how they boot, speak, close their channel, leave or stay. The rates of the [`Plan`](super::plan::Plan) decide.

use std::time::Duration;

use egg_clutch::message::address::{Occupant, Seat};
use egg_clutch::slot::Exit;
use egg_clutch::supervisor::{Event, ListeningAddress};

use super::process::{Manners, ModelProcess, Tree};
use super::world::{Happening, Step, World};

impl World {
    pub fn take_step(&mut self, index: usize, step: Step) {
        if let Step::Forked = step {
            let answer = self.fork(index);
            return self.at(self.now, Happening::Event(answer));
        }
        let process = &self.processes[index];
        let (who, can_speak) = (process.who, process.is_alive && process.channel_is_open);
        match step {
            Step::Online if can_speak => self.say(index, Event::WorkerOnline { who }),
            Step::ListenElsewhere if can_speak => {
                let address = ListeningAddress { address_type: 4, address: None, port: 9_999 };
                self.say(index, Event::WorkerListening { who, address });
            }
            Step::BecomeReady if can_speak => self.become_ready(index),
            Step::CloseChannel { announced } if can_speak => {
                if announced {
                    self.say(index, Event::DisconnectAnnounced { who });
                }
                self.close_channel(index);
            }
            Step::Die(exit) => self.die(index, exit),
            Step::TreeLeaves => self.lose_tree(index),
            _ => {}
        }
    }

    fn is_calm(&self) -> bool {
        self.now >= self.plan.faults_until
    }

    /// Faults happen only in their time.
    fn goes_wrong(&mut self, rate: u64) -> bool {
        self.now >= self.plan.faults_from && !self.is_calm() && self.chance.happens(rate)
    }

    /// Forks, or fails to; the answer has to reach the supervisor before anything that the process does.
    pub fn fork(&mut self, index: usize) -> Event {
        let who = self.processes[index].who;
        let rates = self.plan.rates.clone();
        if self.goes_wrong(rates.spawn_fails) {
            return Event::SpawnFailed { who };
        }
        let pid = self.next_pid();
        let manners = if self.goes_wrong(rates.ignores_term) {
            Manners::Ignores
        } else {
            Manners::Leaves(self.chance.millis(0, 300))
        };
        let tree = if !self.goes_wrong(rates.has_descendants) {
            Tree::Gone
        } else if self.goes_wrong(rates.descendants_stay) {
            Tree::Stays
        } else {
            Tree::Leaves(self.chance.millis(0, 400))
        };
        let unkillable_for =
            if self.goes_wrong(rates.is_unkillable) { self.chance.millis(0, 10_000) } else { Duration::ZERO };
        let now = self.now;
        let process = &mut self.processes[index];
        process.pid = Some(pid);
        process.is_alive = true;
        process.channel_is_open = true;
        process.manners = manners;
        process.tree = tree;
        process.unkillable_until = now + unkillable_for;
        process.said_until = now;
        self.boot(index);
        Event::Spawned { who, pid }
    }

    fn boot(&mut self, index: usize) {
        let rates = self.plan.rates.clone();
        // Nothing is heard of it at the very moment of its fork, not even its end.
        let online = self.chance.millis(1, 30);
        let ready = online + self.chance.millis(1, 150);
        if !self.processes[index].who.is_agent() {
            self.step_in(index, online, Step::Online);
            if self.chance.happens(rates.listens_elsewhere) {
                let at = self.chance_between(online, ready);
                self.step_in(index, at, Step::ListenElsewhere);
            }
        }
        if self.goes_wrong(rates.boot_exits) {
            let exit = self.chance.pick(&[Exit::Code(1), Exit::Code(0), Exit::Signal("SIGSEGV")]);
            let at = self.chance_between(Duration::from_millis(1), ready);
            self.step_in(index, at, Step::Die(exit));
        } else if self.goes_wrong(rates.boot_hangs) {
            self.processes[index].manners = Manners::Ignores;
        } else if self.goes_wrong(rates.boot_disconnects) {
            let at = self.chance_between(Duration::from_millis(1), ready);
            self.step_in(index, at, Step::CloseChannel { announced: false });
            if self.chance.happens(50) {
                let after = self.chance.millis(0, 2_000);
                self.step_in(index, at + after, Step::Die(Exit::Code(0)));
            }
        } else {
            self.step_in(index, ready, Step::BecomeReady);
        }
    }

    fn chance_between(&mut self, low: Duration, high: Duration) -> Duration {
        low + self.chance.millis(0, u64::try_from((high - low).as_millis()).unwrap_or(0))
    }

    fn become_ready(&mut self, index: usize) {
        let who = self.processes[index].who;
        self.processes[index].is_ready = true;
        if who.is_agent() {
            return self.say(index, Event::AgentStarted { who });
        }
        self.say(index, Event::RealPortTold { port: Some(7_001), protocol: Some("http".to_owned()), address: None });
        let address = if let Some(port) = self.plan.config.sticky_worker_port {
            ListeningAddress { address_type: 4, address: Some("127.0.0.1".to_owned()), port: port.into() }
        } else if self.plan.config.port.is_none() && self.plan.config.workers == 2 {
            ListeningAddress { address_type: -1, address: Some("/run/app.sock".to_owned()), port: -1 }
        } else {
            ListeningAddress { address_type: 4, address: None, port: self.port_of(who) }
        };
        self.say(index, Event::WorkerListening { who, address });
    }

    /// Opens the sticky port, or fails to.
    pub fn open_sticky_port(&self) -> Event {
        if self.plan.sticky_port_is_taken {
            return Event::StickyPortFailed;
        }
        Event::StickyPortOpened { address: ListeningAddress { address_type: 6, address: None, port: 7_001 } }
    }

    /// Apps that share no socket listen on ports of their own.
    fn port_of(&self, who: Occupant) -> i64 {
        match who.seat {
            Seat::App(slot) if self.plan.is_threads => 7_001 + i64::from(slot.0),
            _ => 7_001,
        }
    }

    /// Puts an event on the process' channel, which keeps the order.
    fn say(&mut self, index: usize, event: Event) {
        let at = (self.now + self.chance.millis(0, 3)).max(self.processes[index].said_until);
        self.processes[index].said_until = at;
        self.at(at, Happening::Event(event));
    }

    pub fn close_channel(&mut self, index: usize) {
        let rates = self.plan.rates.clone();
        let process = &mut self.processes[index];
        if !process.channel_is_open {
            return;
        }
        process.channel_is_open = false;
        let who = process.who;
        // Something else may hold the far end open, for a while or until the process is gone.
        if !process.is_alive && self.chance.happens(rates.close_is_never_seen) {
            return;
        }
        if self.chance.happens(rates.close_is_late) {
            let late = self.chance.millis(0, 2_000);
            self.processes[index].said_until = self.processes[index].said_until.max(self.now + late);
        }
        self.say(index, Event::ChannelClosed { who });
    }

    pub fn die(&mut self, index: usize, exit: Exit) {
        let process = &mut self.processes[index];
        if !process.is_alive {
            return;
        }
        process.is_alive = false;
        let who = process.who;
        let at = self.now + self.chance.millis(0, 5);
        self.at(at, Happening::Event(Event::WorkerExited { who, exit }));
        self.close_channel(index);
        if self.chance.happens(self.plan.rates.old_news) {
            let at = self.now + self.chance.millis(6, 3_000);
            let news = self.chance.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
            // Old news are late, not false: descendants that are there are not said to be gone.
            let news = if self.processes[index].tree == Tree::Gone { news } else { news.min(7) };
            self.at(at, Happening::Event(old_news(who, news)));
        }
    }

    pub fn terminate(&mut self, who: Occupant) {
        let Some(index) = self.find(who) else { return };
        self.processes[index].is_terminated = true;
        let process = self.processes[index].clone();
        if process.is_alive {
            self.leave(index, &process);
        }
        match process.tree {
            Tree::Gone => self.tell_tree_gone(index),
            Tree::Leaves(after) => self.step_in(index, after, Step::TreeLeaves),
            Tree::Stays => {}
        }
    }

    fn leave(&mut self, index: usize, process: &ModelProcess) {
        if self.plan.is_threads {
            return self.kill_from_outside(index);
        }
        let Manners::Leaves(after) = process.manners else { return };
        if !process.is_ready {
            // Nobody has installed a handler yet.
            return self.step_in(index, Duration::ZERO, Step::Die(Exit::Signal("SIGTERM")));
        }
        if self.chance.happens(50) {
            self.step_in(index, after / 2, Step::CloseChannel { announced: true });
        }
        self.step_in(index, after, Step::Die(Exit::Code(0)));
    }

    pub fn kill_descendants(&mut self, who: Occupant) {
        let Some(index) = self.find(who) else { return };
        self.processes[index].tree_is_killed = true;
        if self.processes[index].tree != Tree::Gone {
            let after = self.processes[index].unkillable_until.saturating_sub(self.now) + self.chance.millis(0, 20);
            self.step_in(index, after, Step::TreeLeaves);
        }
    }

    pub fn kill(&mut self, who: Occupant) {
        let Some(index) = self.find(who) else { return };
        self.processes[index].is_killed = true;
        self.kill_descendants(who);
        self.kill_from_outside(index);
    }

    /// SIGKILL, whoever sent it.
    pub fn kill_from_outside(&mut self, index: usize) {
        let after = self.processes[index].unkillable_until.saturating_sub(self.now) + self.chance.millis(0, 2);
        let exit = if self.plan.is_threads { Exit::Code(1) } else { Exit::Signal("SIGKILL") };
        self.step_in(index, after, Step::Die(exit));
    }

    fn lose_tree(&mut self, index: usize) {
        if self.processes[index].tree != Tree::Gone {
            self.processes[index].tree = Tree::Gone;
            self.tell_tree_gone(index);
        }
    }

    fn tell_tree_gone(&mut self, index: usize) {
        if self.processes[index].is_terminated {
            let who = self.processes[index].who;
            let at = self.now + self.chance.millis(0, 100);
            self.at(at, Happening::Event(Event::TreeGone { who }));
        }
    }
}

/// Something about a process that is gone, told once more or for the first time.
fn old_news(who: Occupant, kind: u32) -> Event {
    match kind {
        0 => Event::WorkerOnline { who },
        1 => Event::AgentStarted { who },
        2 => Event::DisconnectAnnounced { who },
        3 => Event::ChannelClosed { who },
        4 => Event::ProtocolViolated { who },
        5 => Event::WorkerExited { who, exit: Exit::Code(0) },
        6 => Event::Spawned { who, pid: 1 },
        7 => Event::SpawnFailed { who },
        _ => Event::TreeGone { who },
    }
}
