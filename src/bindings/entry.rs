//! [`EntryConfig`]: what the processes of one role run, as JavaScript says it.

use napi_derive::napi;

use crate::master::Entry;

/// What the processes of one role run.
#[napi(object)]
pub struct EntryConfig {
    /// Absolute path of the script.
    pub script: String,
    /// Node's own arguments for it, besides those for all workers.
    pub exec_argv: Vec<String>,
    /// True for one that is restored from a snapshot.
    pub is_restored: bool,
}

impl From<EntryConfig> for Entry {
    fn from(EntryConfig { script, exec_argv, is_restored }: EntryConfig) -> Self {
        Self { script: script.into(), exec_argv: exec_argv.into_iter().map(Into::into).collect(), is_restored }
    }
}
