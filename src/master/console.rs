//! The master's log: `tracing` events rendered in egg's console format, written before the call that logs returns.
//!
//! `YYYY-MM-DD HH:mm:ss,SSS LEVEL <pid> <text>`, local time; errors to stderr, everything else to stdout. Events of the
//! target `cfork` keep the form of the fork library that egg-cluster used, `[YYYY-MM-DD HH:mm:ss.SSS] [cfork:master:<pid>] <text>`,
//! because tools match on it. Nothing here may wait for ever: a reader that stands still loses lines, not the cluster.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

use crate::sys::console::{self, ConsoleFd};

/// The target of lines in the fork library's form.
pub const CFORK: &str = "cfork";

/// Makes the dispatcher that the master's thread and the door log through.
#[must_use]
pub fn dispatch(level: LevelFilter) -> Dispatch {
    Dispatch::new(Console { level, pid: std::process::id(), lost: AtomicU64::new(0), next_span: AtomicU64::new(1) })
}

/// The level that `EGG_MASTER_LOGGER_LEVEL` names; INFO for a word that egg does not know, as egg has it.
#[must_use]
pub fn level_named(word: &str) -> LevelFilter {
    match word.to_ascii_uppercase().as_str() {
        "ALL" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        "NONE" => LevelFilter::OFF,
        _ => LevelFilter::INFO,
    }
}

struct Console {
    level: LevelFilter,
    pid: u32,
    lost: AtomicU64,
    next_span: AtomicU64,
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The fork library's lines do not pass through egg's logger: no level hides them.
        metadata.target() == CFORK || *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let now = jiff::Zoned::now();
        let line = if event.metadata().target() == CFORK {
            format!("[{}] [cfork:master:{}] {}\n", now.strftime("%Y-%m-%d %H:%M:%S.%3f"), self.pid, fields.message)
        } else {
            self.egg_line(&now, level, &fields)
        };
        let stream = if level == Level::ERROR { ConsoleFd::Err } else { ConsoleFd::Out };
        self.write(stream, &line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.next_span.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Console {
    fn egg_line(&self, now: &jiff::Zoned, level: Level, fields: &Fields) -> String {
        let prefix = format!("{} {} {} ", now.strftime("%Y-%m-%d %H:%M:%S,%3f"), level, self.pid);
        let Some(name) = &fields.error_name else { return format!("{prefix}{}\n", fields.message) };
        let mut text = format!("{prefix}nodejs.{name}: {}\nname: {name:?}\n", fields.message);
        if let Some(properties) = &fields.error_properties {
            let _ = writeln!(text, "{properties}");
        }
        let _ = write!(text, "pid: {}\nhostname: {}\n\n", self.pid, crate::sys::hostname());
        text
    }

    fn write(&self, stream: ConsoleFd, line: &str) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let note = format!("(the reader of this log stood still: {lost} lines were lost)\n");
            if console::write_fully(stream, note.as_bytes()).is_err() {
                self.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
        if console::write_fully(stream, line.as_bytes()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The fields this log knows: the text, and what makes an error of it.
#[derive(Default)]
struct Fields {
    message: String,
    error_name: Option<String>,
    error_properties: Option<String>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "error_name" => self.error_name = Some(value.to_owned()),
            "error_properties" => self.error_properties = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn egg_level_names_are_known() {
        assert_eq!(level_named("debug"), LevelFilter::DEBUG);
        assert_eq!(level_named("NONE"), LevelFilter::OFF);
        assert_eq!(level_named("what"), LevelFilter::INFO);
    }

    #[test]
    fn an_error_prints_in_eggs_form() {
        let console =
            Console { level: LevelFilter::INFO, pid: 7, lost: AtomicU64::new(0), next_span: AtomicU64::new(1) };
        let at: jiff::Zoned = "2026-01-02T03:04:05.678[UTC]".parse().unwrap();
        let fields = Fields {
            message: "[master] x".into(),
            error_name: Some("AppWorkerDiedError".into()),
            error_properties: Some("count: {\"agent\":0}".into()),
        };
        let text = console.egg_line(&at, Level::ERROR, &fields);
        let expected = "2026-01-02 03:04:05,678 ERROR 7 nodejs.AppWorkerDiedError: [master] x\nname: \"AppWorkerDiedError\"\ncount: {\"agent\":0}\npid: 7\nhostname: ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("\n\n"));
    }
}
