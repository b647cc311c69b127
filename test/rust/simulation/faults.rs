//! What is done to the cluster from outside: SIGKILL storms, channels that break, a master that is stopped for a while.

use std::time::Duration;

use egg_clutch::message::address::WorkerId;
use egg_clutch::slot::Exit;
use egg_clutch::supervisor::{Event, RequestId};

use super::plan::{Fault, Wish};
use super::process::Manners;
use super::world::{Happening, Step, World};

impl World {
    pub fn strike(&mut self, fault: Fault) {
        self.tell(|| format!("! {fault:?}"));
        match fault {
            Fault::KillOne => self.victims(false, true).into_iter().for_each(|index| self.kill_from_outside(index)),
            Fault::KillAgent => self.agents().into_iter().for_each(|index| self.kill_from_outside(index)),
            Fault::KillAllApps => self.victims(true, true).into_iter().for_each(|index| self.kill_from_outside(index)),
            Fault::KillEverybody => {
                self.victims(true, true).into_iter().for_each(|index| self.kill_from_outside(index));
                self.agents().into_iter().for_each(|index| self.kill_from_outside(index));
            }
            Fault::ExitOne => {
                for index in self.victims(false, true) {
                    let exit = self.chance.pick(&[Exit::Code(0), Exit::Code(1), Exit::Signal("SIGSEGV")]);
                    self.step_in(index, Duration::ZERO, Step::Die(exit));
                }
            }
            Fault::DisconnectOne => self.victims(false, false).into_iter().for_each(|index| self.disconnect(index)),
            Fault::DisconnectAgent => self.agents().into_iter().for_each(|index| self.disconnect(index)),
            Fault::ViolateOne => {
                let everybody = [self.victims(true, false), self.agents()].concat();
                if !everybody.is_empty() {
                    let index = self.chance.pick(&everybody);
                    let who = self.processes[index].who;
                    self.processes[index].channel_is_open = false;
                    self.at(self.now, Happening::Event(Event::ProtocolViolated { who }));
                }
            }
            Fault::PauseMaster => {
                let until = self.now + self.chance.millis(1, 4_000);
                self.witness.forgive(until - self.now);
                self.paused_until = self.paused_until.max(until);
            }
            Fault::StopWorker => {
                for index in self.victims(false, true) {
                    self.processes[index].manners = Manners::Ignores;
                }
            }
        }
    }

    /// What somebody wants, as it comes in. Most workers that are meant are there.
    pub fn ask(&mut self, wish: Wish) -> Event {
        self.tickets += 1;
        let ticket = self.chance.happens(80).then_some(RequestId(self.tickets));
        let apps: Vec<WorkerId> = self.supervisor_view().apps.iter().map(|app| app.number).collect();
        let number = if apps.is_empty() || self.chance.happens(10) { WorkerId(1) } else { self.chance.pick(&apps) };
        match wish {
            Wish::Reload { agent } => Event::ReloadAsked { agent, ticket },
            Wish::Resize(to) => Event::ResizeAsked { to, ticket },
            Wish::Restart => Event::RestartAsked { number, ticket },
            Wish::Isolate => Event::IsolateAsked { number, ticket },
            Wish::Rejoin => Event::RejoinAsked { number, ticket },
        }
    }

    /// Its channel breaks; it drains for a while, or for ever.
    fn disconnect(&mut self, index: usize) {
        let announced = self.chance.happens(50);
        self.step_in(index, Duration::ZERO, Step::CloseChannel { announced });
        if self.chance.happens(80) {
            let drains = self.chance.millis(0, 30_000);
            self.step_in(index, drains, Step::Die(Exit::Code(0)));
        }
    }

    fn agents(&self) -> Vec<usize> {
        (0..self.processes.len()).filter(|i| self.processes[*i].is_alive && self.processes[*i].who.is_agent()).collect()
    }

    /// Live apps, one or all; where booting ones are not meant, only those in service.
    fn victims(&mut self, all: bool, booting_too: bool) -> Vec<usize> {
        let apps: Vec<usize> = (0..self.processes.len())
            .filter(|index| {
                let process = &self.processes[*index];
                process.is_alive && !process.who.is_agent() && (booting_too || process.is_ready)
            })
            .collect();
        if all || apps.is_empty() { apps } else { vec![self.chance.pick(&apps)] }
    }
}
