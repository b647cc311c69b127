//! The allocator's free memory, given back to the system when much has become free at once.
//!
//! glibc keeps what small allocations leave behind for the next ones, which after a queue of a million messages is most of
//! it. Other C libraries give back by themselves.
#![allow(unsafe_code)] // malloc_trim

/// Gives back what is free. Costs milliseconds, so it is for rare occasions.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a plain integer and its own locks, and moves no allocation.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
