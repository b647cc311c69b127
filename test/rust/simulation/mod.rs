//! A cluster's whole life in one thread and no time: a virtual clock, a model of processes, and a witness who keeps the books.
//!
//! One number decides everything. `plan` is what it decides, `world` the clock and the loop, `life` and `faults` what processes do
//! and suffer, `witness`, `effects`, `reports` and `service` what must be true.

mod chance;
mod effects;
mod faults;
mod life;
mod plan;
mod process;
mod reports;
mod service;
mod tally;
mod witness;
mod world;

pub use tally::Tally;

use world::World;

/// Lives the life of this seed.
///
/// # Errors
/// What went wrong, and everything that happened until then.
pub fn live(seed: u64) -> Result<Tally, String> {
    World::new(seed, false).live().map_err(|_| {
        // Once more, with a pen.
        let mut world = World::new(seed, true);
        let what = world.live().err().unwrap_or_default();
        let story: Vec<&str> = world.story().lines().collect();
        let tail = story[story.len().saturating_sub(60)..].join("\n");
        let replay = format!("CLUSTER_SIM_SEED={seed} cargo test --test supervisor_simulation -- --nocapture");
        format!("seed {seed}: {what}\n{tail}\nseed {seed}: {what}\nthe whole story: {replay}")
    })
}

/// The whole story of this seed.
pub fn tell(seed: u64) -> (String, Result<Tally, String>) {
    let mut world = World::new(seed, true);
    let result = world.live();
    (world.story().to_owned(), result)
}
