//! The cluster in numbers, for `/metrics`. A place is told of by its role and slot, never by a pid or a worker's number, so that there are
//! no more numbers after a year than after an hour. Its counters go on over its processes: what one has counted stays when it has gone.
//! What is not known is left out.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::desk::why_not_ready;
use super::message_totals::{MessageCounts, MessageTotals};
use super::shell::Shell;
use super::snapshot::is_in_service;
use super::vitals::{RequestCounts, Vitals};
use crate::control::metrics::{Family, Kind, Sample};
use crate::message::address::{Generation, Occupant, Seat};
use crate::slot::{Cause, SlotState};
use crate::supervisor::View;

type Labels = Vec<(&'static str, String)>;

/// A gauge of a place, told from the vitals of its living processes, the youngest first.
type Gauge = (&'static str, &'static str, fn(&[Vitals]) -> Option<f64>);
/// A counter of a place.
type Counter = (&'static str, &'static str, fn(&Totals) -> f64);

const ROLES: [&str; 2] = ["agent", "app"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

const GAUGES: [Gauge; 12] = [
    ("egg_clutch_process_uptime_seconds", "Age of the youngest process of the place.", |all| {
        all.first().map(|vitals| vitals.uptime.as_secs_f64())
    }),
    ("egg_clutch_process_boot_seconds", "From the fork until it was ready, of the last process of the place.", |all| {
        all.iter().find_map(|vitals| vitals.boot).map(|took| took.as_secs_f64())
    }),
    ("egg_clutch_process_resident_memory_bytes", "Resident memory.", |all| sum(all, |vitals| known(vitals.resident))),
    ("egg_clutch_process_heap_used_bytes", "V8 heap that is used, as of the last garbage collection.", |all| {
        sum(all, |vitals| known(vitals.heap_total).map(|_| vitals.heap_used))
    }),
    ("egg_clutch_process_heap_total_bytes", "V8 heap, as of the last garbage collection.", |all| {
        sum(all, |vitals| known(vitals.heap_total))
    }),
    ("egg_clutch_process_external_memory_bytes", "Memory outside of the heap that V8 knows of.", |all| {
        sum(all, |vitals| known(vitals.heap_total).map(|_| vitals.external))
    }),
    ("egg_clutch_event_loop_lag_seconds", "How long the event loop has not been free at this moment.", |all| {
        most(all, |vitals| vitals.event_loop.lag.as_secs_f64())
    }),
    ("egg_clutch_event_loop_lag_p99_seconds", "Lag of the event loop over the last minute, 99th percentile.", |all| {
        most(all, |vitals| vitals.event_loop.lag_p99.as_secs_f64())
    }),
    ("egg_clutch_event_loop_utilization_ratio", "Busy share of the event loop over the last minute.", |all| {
        most(all, |vitals| vitals.event_loop.utilization)
    }),
    ("egg_clutch_requests_in_flight", "HTTP requests without an answer yet.", |all| {
        sum(all, |vitals| Some(vitals.requests.in_flight()))
    }),
    ("egg_clutch_messages_queued", "Messages that wait for receivers, once for each.", |all| {
        (!all.is_empty()).then(|| all.iter().map(|vitals| vitals.messages.queued).sum())
    }),
    ("egg_clutch_connections_open", "Open connections.", |all| sum(all, |vitals| vitals.connections)),
];

const COUNTERS: [Counter; 7] = [
    ("egg_clutch_process_cpu_seconds", "Time on a processor.", |totals| totals.cpu.as_secs_f64()),
    ("egg_clutch_requests", "HTTP requests that have come in.", |totals| totals.requests.total as f64),
    ("egg_clutch_requests_broken_off", "HTTP requests whose client left before the answer was whole.", |totals| {
        totals.requests.broken_off as f64
    }),
    ("egg_clutch_messages_sent", "Messages that were sent, each once.", |totals| totals.messages.sent),
    ("egg_clutch_messages_received", "Messages that were received.", |totals| totals.messages.received),
    ("egg_clutch_messages_sent_bytes", "Bytes of the messages that were sent.", |totals| totals.messages.bytes),
    ("egg_clutch_messages_dropped", "Messages that the process has refused, once for each receiver.", |totals| {
        totals.messages.dropped
    }),
];

fn known(bytes: u64) -> Option<u64> {
    (bytes > 0).then_some(bytes)
}

fn sum(all: &[Vitals], of: impl Fn(&Vitals) -> Option<u64>) -> Option<f64> {
    all.iter().filter_map(of).reduce(u64::saturating_add).map(|sum| sum as f64)
}

fn most(all: &[Vitals], of: impl Fn(&Vitals) -> f64) -> Option<f64> {
    all.iter().filter(|vitals| vitals.event_loop.is_known()).map(of).reduce(f64::max)
}

/// What processes have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    cpu: Duration,
    requests: RequestCounts,
    messages: MessageCounts,
}

impl Totals {
    fn add(&mut self, vitals: &Vitals) {
        self.cpu += vitals.cpu;
        self.messages.add(&vitals.messages);
        self.requests.total += vitals.requests.total;
        self.requests.broken_off += vitals.requests.broken_off;
        for (sum, count) in self.requests.answered.iter_mut().zip(vitals.requests.answered) {
            *sum += count;
        }
    }
}

/// What is kept of processes that have ended.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    places: BTreeMap<Seat, Closed>,
    /// By whether it was the agent, and by cause.
    deaths: HashMap<(bool, Cause), u64>,
    /// By action.
    pub(super) messages: MessageTotals,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    totals: Totals,
    generation: Generation,
    /// What was told last: a process that has been reaped a moment ago has no time for that moment.
    told_cpu: Duration,
}

/// A place as it is now.
#[derive(Debug)]
struct Place {
    seat: Seat,
    generation: Generation,
    totals: Totals,
    /// Of its living processes, the youngest first.
    living: Vec<Vitals>,
}

impl Ledger {
    /// A process has ended; to be told once of each.
    pub(super) fn close(&mut self, who: Occupant, cause: Cause, vitals: &Vitals) {
        *self.deaths.entry((who.is_agent(), cause)).or_default() += 1;
        let closed = self.place(who.seat);
        closed.totals.add(vitals);
        closed.generation = closed.generation.max(who.generation);
    }

    fn place(&mut self, seat: Seat) -> &mut Closed {
        let nobody = Closed { totals: Totals::default(), generation: Generation(1), told_cpu: Duration::ZERO };
        self.places.entry(seat).or_insert(nobody)
    }

    fn deaths(&self) -> Vec<Sample> {
        let pairs = ROLES.into_iter().flat_map(|role| Cause::ALL.map(|cause| (role, cause)));
        let count = |role, cause| self.deaths.get(&(role == ROLES[0], cause)).copied().unwrap_or(0);
        let sample = |(role, cause): (&'static str, Cause)| Sample {
            labels: vec![("role", role.to_owned()), ("cause", cause.as_str().to_owned())],
            value: count(role, cause) as f64,
        };
        pairs.map(sample).collect()
    }

    /// The places, with what the living add.
    fn places(&mut self, mut living: Vec<(Occupant, Vitals)>) -> Vec<Place> {
        living.sort_by_key(|(who, _)| std::cmp::Reverse(who.generation));
        for (who, _) in &living {
            self.place(who.seat);
        }
        let mut places: BTreeMap<Seat, Place> = BTreeMap::new();
        for (seat, Closed { totals, generation, .. }) in &self.places {
            let place = Place { seat: *seat, generation: *generation, totals: *totals, living: Vec::new() };
            places.insert(*seat, place);
        }
        for (who, vitals) in living {
            if let Some(place) = places.get_mut(&who.seat) {
                place.generation = place.generation.max(who.generation);
                place.totals.add(&vitals);
                place.living.push(vitals);
            }
        }
        for place in places.values_mut() {
            let closed = self.place(place.seat);
            closed.told_cpu = closed.told_cpu.max(place.totals.cpu);
            place.totals.cpu = closed.told_cpu;
        }
        places.into_values().collect()
    }
}

impl Place {
    fn labels(&self) -> Labels {
        match self.seat {
            Seat::Agent => vec![("role", "agent".to_owned())],
            Seat::App(slot) => vec![("role", "app".to_owned()), ("slot", slot.0.to_string())],
        }
    }
}

impl Shell {
    /// All that can be said of the cluster in numbers.
    pub(super) fn metrics(&mut self) -> Vec<Family> {
        self.listeners.lanes.look();
        let mut families = of_cluster(&self.supervisor.view(), self.dropped_messages);
        // Of threads nobody knows why one has ended.
        if !self.config.threads {
            let help = "Processes that have ended, by why.";
            families.push(Family {
                name: "egg_clutch_deaths",
                help,
                kind: Kind::Counter,
                samples: self.ledger.deaths(),
            });
        }
        let lives = self.watch.lives().filter(|(_, life)| !life.is_on_record);
        let living = lives.map(|(who, life)| (who, Vitals::read(life, self.listeners.connections_of(who)))).collect();
        families.extend(of_places(&self.ledger.places(living)));
        // Threads have no page.
        if !self.config.threads {
            let lives = self.watch.lives().filter(|(_, life)| !life.is_on_record);
            families.extend(self.ledger.messages.totals(lives.map(|(_, life)| life.pulse.tally())).families());
        }
        families
    }
}

fn of_cluster(view: &View, dropped_messages: u64) -> Vec<Family> {
    let one = |name, help, kind, value| {
        let samples = vec![Sample { labels: Vec::new(), value }];
        Family { name, help, kind, samples }
    };
    let gauge = |name, help, value: f64| one(name, help, Kind::Gauge, value);
    let flag = |name, help, is: bool| gauge(name, help, f64::from(u8::from(is)));
    let serving = view.apps.iter().filter(|app| is_in_service(app)).count();
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    vec![
        Family {
            name: "egg_clutch_build",
            help: "The version of egg-clutch.",
            kind: Kind::Info,
            samples: vec![Sample { labels: version, value: 1.0 }],
        },
        flag("egg_clutch_up", "1, as the master answers.", true),
        flag(
            "egg_clutch_ready",
            "1 where connections may be sent here, as /readyz says.",
            why_not_ready(view).is_none(),
        ),
        flag("egg_clutch_stopping", "1 from the moment a stop begins.", view.is_stopping),
        flag("egg_clutch_degraded", "1 while fewer workers are in service than should be.", view.is_degraded),
        flag("egg_clutch_reloading", "1 while workers are renewed.", view.is_renewing),
        gauge(
            "egg_clutch_reload_places",
            "Places that are renewed in the reload that is going on; 0 where none is.",
            f64::from(view.renewal.map_or(0, |renewal| renewal.total)),
        ),
        gauge("egg_clutch_reload_places_done", "Of these, the ones that have been renewed.", {
            f64::from(view.renewal.map_or(0, |renewal| renewal.done))
        }),
        flag("egg_clutch_upgrading", "1 while a new master boots.", view.is_upgrading),
        gauge("egg_clutch_workers_target", "App workers that should be in service.", f64::from(view.target)),
        gauge("egg_clutch_workers_serving", "App workers in service.", serving as f64),
        Family {
            name: "egg_clutch_processes",
            help: "Processes, by where they are in their life.",
            kind: Kind::Gauge,
            samples: by_state(view),
        },
        one(
            "egg_clutch_dropped_messages",
            "Messages that the master has refused, once for each receiver.",
            Kind::Counter,
            dropped_messages as f64,
        ),
    ]
}

fn by_state(view: &View) -> Vec<Sample> {
    let states = SlotState::ALL.into_iter().filter(|state| *state != SlotState::Exited);
    let pairs = states.flat_map(|state| ROLES.map(|role| (role, state)));
    let all = || view.agent.iter().chain(&view.apps);
    let count =
        |role, state| all().filter(|view| view.state == state && view.who.is_agent() == (role == ROLES[0])).count();
    let sample = |(role, state): (&'static str, SlotState)| Sample {
        labels: vec![("role", role.to_owned()), ("state", state.as_str().to_owned())],
        value: count(role, state) as f64,
    };
    pairs.map(sample).collect()
}

fn of_places(places: &[Place]) -> Vec<Family> {
    let mut families = vec![Family {
        name: "egg_clutch_restarts",
        help: "Processes of the place after its first, for whatever reason.",
        kind: Kind::Counter,
        samples: samples(places, |place| Some(f64::from(place.generation.0.saturating_sub(1)))),
    }];
    families.extend(GAUGES.map(|(name, help, of)| Family {
        name,
        help,
        kind: Kind::Gauge,
        samples: samples(places, |place| of(&place.living)),
    }));
    families.extend(COUNTERS.map(|(name, help, of)| Family {
        name,
        help,
        kind: Kind::Counter,
        samples: samples(places, |place| Some(of(&place.totals))),
    }));
    let responses = places.iter().flat_map(|place| {
        CLASSES.into_iter().zip(place.totals.requests.answered).map(|(class, count)| {
            let mut labels = place.labels();
            labels.push(("class", class.to_owned()));
            Sample { labels, value: count as f64 }
        })
    });
    families.push(Family {
        name: "egg_clutch_responses",
        help: "HTTP responses, by their class.",
        kind: Kind::Counter,
        samples: responses.collect(),
    });
    families
}

fn samples(places: &[Place], of: impl Fn(&Place) -> Option<f64>) -> Vec<Sample> {
    places.iter().filter_map(|place| Some(Sample { labels: place.labels(), value: of(place)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::metrics::{Format, render};
    use crate::message::address::SlotIndex;

    fn app(slot: u32, generation: u32) -> Occupant {
        Occupant { seat: Seat::App(SlotIndex(slot)), generation: Generation(generation) }
    }

    fn vitals(requests: u64, cpu: u64) -> Vitals {
        let requests = RequestCounts { total: requests, done: requests, answered: [requests, 0, 0, 0], broken_off: 0 };
        let mut vitals = Vitals { cpu: Duration::from_secs(cpu), resident: 1 << 30, requests, ..Vitals::default() };
        vitals.event_loop.state = "unknown";
        vitals
    }

    fn text(families: &[Family]) -> String {
        render(families, Format::Text)
    }

    #[test]
    fn a_place_counts_on_when_its_process_has_gone_and_while_it_has_two() {
        let mut ledger = Ledger::default();
        let total = |ledger: &mut Ledger, living| {
            let [place] = &ledger.places(living)[..] else { return (0, 0) };
            (place.totals.requests.total, place.generation.0)
        };
        assert_eq!(total(&mut ledger, vec![(app(0, 1), vitals(5, 1))]), (5, 1));
        assert_eq!(total(&mut ledger, vec![(app(0, 1), vitals(6, 1)), (app(0, 2), vitals(1, 1))]), (7, 2));
        ledger.close(app(0, 1), Cause::Killed, &vitals(6, 1));
        assert_eq!(total(&mut ledger, vec![(app(0, 2), vitals(1, 1))]), (7, 2));
        ledger.close(app(0, 2), Cause::Killed, &vitals(2, 1));
        assert_eq!(total(&mut ledger, Vec::new()), (8, 2));
    }

    #[test]
    fn time_on_a_processor_does_not_go_back_for_one_that_has_just_been_reaped() {
        let mut ledger = Ledger::default();
        let cpu = |ledger: &mut Ledger, seconds| ledger.places(vec![(app(0, 1), vitals(0, seconds))])[0].totals.cpu;
        assert_eq!(cpu(&mut ledger, 9), Duration::from_secs(9));
        assert_eq!(cpu(&mut ledger, 0), Duration::from_secs(9));
        ledger.close(app(0, 1), Cause::Exited, &vitals(0, 10));
        assert_eq!(ledger.places(Vec::new())[0].totals.cpu, Duration::from_secs(10));
    }

    #[test]
    fn deaths_are_counted_by_cause_and_those_that_were_not_are_there_with_0() {
        let mut ledger = Ledger::default();
        ledger.close(app(3, 1), Cause::Killed, &Vitals::default());
        ledger.close(app(1, 7), Cause::Killed, &Vitals::default());
        let told = ledger.deaths();
        assert_eq!(told.len(), 2 * Cause::ALL.len());
        let killed: Vec<_> = told.iter().filter(|sample| sample.value > 0.0).collect();
        let labels = vec![("role", "app".to_owned()), ("cause", "killed".to_owned())];
        assert_eq!(killed, [&Sample { labels, value: 2.0 }]);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut ledger = Ledger::default();
        let told = text(&of_places(&ledger.places(vec![(app(0, 1), vitals(1, 1))])));
        for absent in ["_lag_", "_heap_", "_external_", "_utilization_", "_connections_"] {
            assert!(!told.contains(absent), "{absent}: {told}");
        }
        assert!(
            told.contains("egg_clutch_process_resident_memory_bytes{role=\"app\",slot=\"0\"} 1073741824\n"),
            "{told}"
        );
        assert_eq!(text(&of_places(&[])), "");
    }

    #[test]
    fn sixty_four_workers_with_two_processes_each_fit_into_a_fraction_of_a_megabyte() {
        let mut ledger = Ledger::default();
        let living = (0..64).flat_map(|slot| {
            [1, 2].map(|generation| {
                let mut vitals = vitals(u64::MAX >> 11, 1 << 30);
                vitals.event_loop.state = "runs";
                (vitals.heap_used, vitals.heap_total, vitals.external) = (u64::MAX >> 2, u64::MAX >> 2, u64::MAX >> 2);
                vitals.connections = Some(u64::MAX >> 11);
                (app(slot, generation), vitals)
            })
        });
        let told = text(&of_places(&ledger.places(living.collect())));
        assert!(told.contains("slot=\"63\""));
        assert!(told.len() < 200_000, "{} bytes", told.len());
        let mut names: Vec<&str> =
            told.lines().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "no sample is there twice");
    }
}
