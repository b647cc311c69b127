//! The master's log: `tracing` events rendered in egg's console format, written before the call that logs returns.
//!
//! `YYYY-MM-DD HH:mm:ss,SSS LEVEL <pid> <text>`, local time; errors to stderr, everything else to stdout. Events of the
//! target `cfork` keep the form of the fork library that egg-cluster used, `[YYYY-MM-DD HH:mm:ss.SSS] [cfork:master:<pid>] <text>`,
//! because tools match on it. Nothing here may wait for ever: a reader that stands still loses lines, not the cluster.

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

use super::line_writer::LineWriter;
use crate::sys;
use crate::sys::console::ConsoleFd;

/// The target of lines in the fork library's form.
pub const CFORK: &str = "cfork";

/// Makes the dispatcher that the master's thread and the door log through.
///
/// # Errors
/// When the threads that write cannot be started.
pub fn dispatch(level: LevelFilter) -> io::Result<Dispatch> {
    let (out, err) = (writer(ConsoleFd::Out)?, writer(ConsoleFd::Err)?);
    Ok(Dispatch::new(Console { level, pid: std::process::id(), out, err, next_span: AtomicU64::new(1) }))
}

fn writer(stream: ConsoleFd) -> io::Result<LineWriter> {
    LineWriter::start(move |line| {
        // Without a reader there is nobody to tell that the line is lost, either.
        let _ = sys::console::write_fully(stream, line.as_bytes());
    })
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
    out: LineWriter,
    err: LineWriter,
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
            egg_line(&now, level, self.pid, &fields)
        };
        let writer = if level == Level::ERROR { &self.err } else { &self.out };
        writer.write(line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.next_span.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn egg_line(now: &jiff::Zoned, level: Level, pid: u32, fields: &Fields) -> String {
    let prefix = format!("{} {} {pid} ", now.strftime("%Y-%m-%d %H:%M:%S,%3f"), level);
    let Some(name) = &fields.error_name else { return format!("{prefix}{}\n", fields.message) };
    let mut text = format!("{prefix}nodejs.{name}: {}\nname: {name:?}\n", fields.message);
    if let Some(properties) = &fields.error_properties {
        let _ = writeln!(text, "{properties}");
    }
    let _ = write!(text, "pid: {pid}\nhostname: {}\n\n", sys::hostname());
    text
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
        let at: jiff::Zoned = "2026-01-02T03:04:05.678[UTC]".parse().unwrap();
        let fields = Fields {
            message: "[master] x".into(),
            error_name: Some("AppWorkerDiedError".into()),
            error_properties: Some("count: {\"agent\":0}".into()),
        };
        let text = egg_line(&at, Level::ERROR, 7, &fields);
        let expected = "2026-01-02 03:04:05,678 ERROR 7 nodejs.AppWorkerDiedError: [master] x\nname: \"AppWorkerDiedError\"\ncount: {\"agent\":0}\npid: 7\nhostname: ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("\n\n"));
    }
}
