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
