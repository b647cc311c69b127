//! The master's log: `tracing` events, written before the call that logs returns, in egg's console format or as JSON lines.
//!
//! egg's: `YYYY-MM-DD HH:mm:ss,SSS LEVEL <pid> <text>`, local time; errors to stderr, everything else to stdout. Events of the
//! target `cfork` keep the form of the fork library that egg-cluster used, `[YYYY-MM-DD HH:mm:ss.SSS] [cfork:master:<pid>] <text>`,
//! because tools match on it. JSON lines carry the fields of the spans around an event as well: which process it is about, and what
//! the cluster is in the middle of. Nothing here may wait for ever: a reader that stands still loses lines, not the cluster.

use std::fmt::Write as _;
use std::io;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::json_line::json_line;
use super::line_writer::LineWriter;
use super::phases::PHASE;
use crate::sys;
use crate::sys::console::ConsoleFd;

/// The target of lines in the fork library's form.
pub const CFORK: &str = "cfork";

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As egg prints them.
    #[default]
    Egg,
    /// One JSON object each.
    Json,
}

/// Makes the dispatcher that the master's thread and the door log through.
///
/// # Errors
/// When the threads that write cannot be started.
pub fn dispatch(level: LevelFilter, format: LogFormat) -> io::Result<Dispatch> {
    let pid = std::process::id();
    let (out, err) = (writer(ConsoleFd::Out, format)?, writer(ConsoleFd::Err, format)?);
    Ok(Dispatch::new(Registry::default().with(Console { level, format, pid, out, err })))
}

fn writer(stream: ConsoleFd, format: LogFormat) -> io::Result<LineWriter> {
    let lost = move |lines: u64| {
        let text = format!("the reader of this log stood still: {lines} lines were lost");
        match format {
            LogFormat::Egg => format!("({text})\n"),
            LogFormat::Json => {
                let said =
                    Map::from_iter([("message".to_owned(), Value::from(text)), ("lost".to_owned(), lines.into())]);
                json_line(&jiff::Zoned::now(), Level::WARN, std::process::id(), &said, [])
            }
        }
    };
    LineWriter::start(lost, move |line| {
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
    format: LogFormat,
    pid: u32,
    out: LineWriter,
    err: LineWriter,
}

/// What a span carries for the lines inside of it.
struct Carried {
    fields: Map<String, Value>,
    since: Instant,
}

impl Console {
    fn write(&self, level: Level, line: String) {
        let writer = if level == Level::ERROR { &self.err } else { &self.out };
        writer.write(line);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Console {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        if metadata.is_span() {
            return self.format == LogFormat::Json;
        }
        // The fork library's lines do not pass through egg's logger: no level hides them.
        metadata.target() == CFORK || *metadata.level() <= self.level
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let now = jiff::Zoned::now();
        let line = match self.format {
            LogFormat::Json => {
                let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
                let around: Vec<Map<String, Value>> = spans
                    .filter_map(|span| span.extensions().get::<Carried>().map(|carried| carried.fields.clone()))
                    .collect();
                json_line(&now, level, self.pid, &fields.0, &around)
            }
            LogFormat::Egg if event.metadata().target() == CFORK => {
                let at = now.strftime("%Y-%m-%d %H:%M:%S.%3f");
                format!("[{at}] [cfork:master:{}] {}\n", self.pid, fields.text("message").unwrap_or_default())
            }
            LogFormat::Egg => egg_line(&now, level, self.pid, &fields),
        };
        self.write(level, line);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if attributes.metadata().target() == PHASE {
            fields.0.insert("phase".to_owned(), attributes.metadata().name().into());
        }
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Carried { fields: fields.0, since: Instant::now() });
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        record.record(&mut fields);
        if let Some(carried) = span.extensions_mut().get_mut::<Carried>() {
            carried.fields.extend(fields.0);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id).filter(|span| span.metadata().target() == PHASE) else { return };
        let Some(Carried { mut fields, since }) = span.extensions_mut().remove::<Carried>() else { return };
        if Level::INFO > self.level {
            return;
        }
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = fields.entry("outcome").or_insert_with(|| json!("cut short")).clone();
        let message = format!("[master] {}: {}", span.name(), outcome.as_str().unwrap_or_default());
        let said =
            Map::from_iter([("message".to_owned(), Value::from(message)), ("durationMs".to_owned(), took.into())]);
        self.write(Level::INFO, json_line(&jiff::Zoned::now(), Level::INFO, self.pid, &said, [&fields]));
    }
}

fn egg_line(now: &jiff::Zoned, level: Level, pid: u32, fields: &Fields) -> String {
    let message = fields.text("message").unwrap_or_default();
    let prefix = format!("{} {} {pid} ", now.strftime("%Y-%m-%d %H:%M:%S,%3f"), level);
    let Some(name) = fields.text("error_name") else { return format!("{prefix}{message}\n") };
    let mut text = format!("{prefix}nodejs.{name}: {message}\nname: {name:?}\n");
    if let Some(properties) = fields.text("error_properties") {
        let _ = writeln!(text, "{properties}");
    }
    let _ = write!(text, "pid: {pid}\nhostname: {}\n\n", sys::hostname());
    text
}

/// What an event or a span says, by name.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
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
        let fields = json!({
            "message": "[master] x", "error_name": "AppWorkerDiedError", "error_properties": "count: {\"agent\":0}",
        });
        let text = egg_line(&at, Level::ERROR, 7, &Fields(fields.as_object().cloned().unwrap()));
        let expected = "2026-01-02 03:04:05,678 ERROR 7 nodejs.AppWorkerDiedError: [master] x\nname: \"AppWorkerDiedError\"\ncount: {\"agent\":0}\npid: 7\nhostname: ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("\n\n"));
    }
}
