//! Whole lives of a cluster, decided by a seed each, against the pure supervisor.
//!
//! `CLUSTER_SIM_SEED=<n>` replays one life and prints every event and effect with its virtual time;
//! `CLUSTER_SIM_SEEDS=<count>` changes how many lives the sweep lives.

#![allow(clippy::print_stdout, reason = "a replay is read by people")]

mod scenarios;
mod simulation;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use simulation::Tally;

const SEEDS: u64 = 10_000;

/// Lives that failed once, while a rule of the supervisor was missing or was taken away: each goes wrong without its rule. A seed
/// means its life as long as `Plan` and the world draw as they do. A new failure is added here with a sentence of what happened.
const KEPT: [(u64, &str); 22] = [
    (0, "an app's end is seen and the close of its channel never"),
    (2, "an app breaks the protocol and its slot has to be filled without a word from its channel"),
    (3, "an app listens on another port before it has told its own"),
    (7, "processes are abandoned after SIGKILL, and what counted on their end has to go on"),
    (17, "a channel closes and its process stays for ever"),
    (20, "an app that shares no socket leaves for a reload, and its seat has to be filled again"),
    (26, "a fork that succeeded is said to have failed"),
    (34, "an app starts while the agent still boots"),
    (36, "apps that share no socket are renewed, one seat at a time and each of them"),
    (41, "a reload fails while the fork of another successor is under way"),
    (60, "an app that shares no socket dies after a healthy life and has to wait for the pause"),
    (112, "a new process hangs while it boots"),
    (126, "our own SIGKILL looks like the debugger's"),
    (169, "the master is held up for so long that SIGKILL and giving up are due at once"),
    (193, "an old worker dies while a fork that was not wanted any more is under way"),
    (280, "the agent's channel closes while the apps leave"),
    (332, "an app that shares no socket cannot be ended when its turn comes in a reload"),
    (422, "a successor loses its channel in the middle of a reload and stays"),
    (482, "the agent is overdue when the stop begins"),
    (697, "the slot of a worker whose restart waits is closed meanwhile"),
    (1_733, "two apps are overdue at once before readiness"),
    (7_733, "the agent's fork is done while the apps leave"),
];

fn number_from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_seed_leads_a_life_without_a_broken_rule() {
    if let Some(seed) = number_from_env("CLUSTER_SIM_SEED") {
        let (story, result) = simulation::tell(seed);
        println!("{story}");
        result.unwrap();
        return;
    }
    let count = number_from_env("CLUSTER_SIM_SEEDS").unwrap_or(SEEDS);
    let sum = sweep(count).unwrap_or_else(|what| panic!("{what}"));
    println!("{count} lives: {:?}", sum.rows());
    for (name, number) in sum.rows() {
        assert!(number > 0 || count < SEEDS, "no life had {name}: the sweep does not test what it is meant to test");
    }
}

#[test]
fn lives_that_failed_once_go_well() {
    for (seed, what) in KEPT {
        if let Err(failure) = simulation::live(seed) {
            panic!("{what}: {failure}");
        }
    }
}

/// Lives all seeds below `count` on all processors; the failure with the lowest seed counts.
fn sweep(count: u64) -> Result<Tally, String> {
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        break;
                    }
                    let result = simulation::live(seed);
                    if result.is_err() {
                        next.store(count, Ordering::Relaxed);
                    }
                    let _ = sender.send((seed, result));
                }
            });
        }
        drop(sender);
    });
    let mut results: Vec<_> = receiver.into_iter().collect();
    results.sort_by_key(|(seed, _)| *seed);
    let mut sum = Tally::default();
    for (_, result) in results {
        sum.add(&result?);
    }
    Ok(sum)
}
