//! Numbers for Prometheus and its like, written in the text format 0.0.4 and in OpenMetrics 1.0. Pure; what they are is the master's.

use std::fmt::Write;

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.
    OpenMetrics,
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is 1; its labels tell.
    Info,
}

/// Numbers of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, without the `_total` or `_info` that its kind brings; one that has a unit ends with it.
    pub name: &'static str,
    /// What it is, in a sentence without line breaks.
    pub help: &'static str,
    /// What its numbers mean.
    pub kind: Kind,
    /// Without any the family is left out.
    pub samples: Vec<Sample>,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose it is. No two samples of a family have the same.
    pub labels: Vec<(&'static str, String)>,
    /// The number, in the unit of the name.
    pub value: f64,
}

/// The units that a name may end with.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

impl Format {
    /// What the fields `Accept` ask for (RFC 9110 §12.5.1): OpenMetrics where it is liked no less than text, and text otherwise.
    pub fn of_accept<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut text, mut open) = (0.0_f32, 0.0_f32);
        for range in fields.into_iter().flat_map(|field| field.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut liked, mut version) = (1.0, None);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => liked = value.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            match (kind.as_str(), version) {
                ("application/openmetrics-text", None | Some("1.0.0")) => open = open.max(liked),
                ("text/plain", None | Some("0.0.4")) => text = text.max(liked),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All families, in their order.
#[must_use]
pub fn render(families: &[Family], format: Format) -> String {
    let mut out = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        write_family(&mut out, family, format);
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn write_family(out: &mut String, family: &Family, format: Format) {
    let Family { name, help, kind, samples } = family;
    let (suffix, word) = match (kind, format) {
        (Kind::Counter, _) => ("_total", "counter"),
        (Kind::Gauge, _) => ("", "gauge"),
        (Kind::Info, Format::Text) => ("_info", "gauge"),
        (Kind::Info, Format::OpenMetrics) => ("_info", "info"),
    };
    // To the one the suffix is part of the name, to the other it belongs to the sample.
    let shown = if format == Format::Text { suffix } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name}{shown} {help}\n# TYPE {name}{shown} {word}");
    let unit = UNITS.iter().find(|unit| name.strip_suffix(**unit).is_some_and(|rest| rest.ends_with('_')));
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    for Sample { labels, value } in samples {
        out.push_str(name);
        out.push_str(suffix);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(out, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            escape(out, text);
            out.push('"');
        }
        let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &'static str, kind: Kind, labels: &[(&'static str, &str)], value: f64) -> Family {
        let labels = labels.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Family { name, help: "What it is.", kind, samples: vec![Sample { labels, value }] }
    }

    #[test]
    fn each_format_is_written_as_it_wants_to_be() {
        let families = [
            family("a_seconds", Kind::Counter, &[("role", "app"), ("slot", "0")], 1.25),
            family("b_bytes", Kind::Gauge, &[], 3e9),
            family("c", Kind::Info, &[("version", "1")], 1.0),
            Family { samples: Vec::new(), ..family("unknown", Kind::Gauge, &[], 0.0) },
        ];
        assert_eq!(
            render(&families, Format::Text),
            "# HELP a_seconds_total What it is.\n# TYPE a_seconds_total counter\n\
             a_seconds_total{role=\"app\",slot=\"0\"} 1.25\n\
             # HELP b_bytes What it is.\n# TYPE b_bytes gauge\nb_bytes 3000000000\n\
             # HELP c_info What it is.\n# TYPE c_info gauge\nc_info{version=\"1\"} 1\n"
        );
        assert_eq!(
            render(&families, Format::OpenMetrics),
            "# HELP a_seconds What it is.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
             a_seconds_total{role=\"app\",slot=\"0\"} 1.25\n\
             # HELP b_bytes What it is.\n# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 3000000000\n\
             # HELP c What it is.\n# TYPE c info\nc_info{version=\"1\"} 1\n# EOF\n"
        );
    }

    #[test]
    fn the_text_of_a_label_stays_in_its_quotes() {
        for format in [Format::Text, Format::OpenMetrics] {
            let hostile = "a\"} 1\nevil 2\\\u{0}é# EOF";
            let text = render(&[family("a", Kind::Gauge, &[("l", hostile)], 1.0)], format);
            assert!(text.contains("a{l=\"a\\\"} 1\\nevil 2\\\\\u{0}é# EOF\"} 1\n"), "{text}");
            assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "{text}");
        }
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it_and_everybody_else_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for accept in [
            prometheus,
            "Application/OpenMetrics-Text",
            "text/plain;q=0.9, application/openmetrics-text; version=\"1.0.0\"",
        ] {
            assert_eq!(Format::of_accept([accept]), Format::OpenMetrics, "{accept}");
        }
        assert_eq!(Format::of_accept(["text/html", "application/openmetrics-text"]), Format::OpenMetrics);
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;q=0.1, text/plain",
            ";;q=,=;,",
        ] {
            assert_eq!(Format::of_accept([accept]), Format::Text, "{accept}");
        }
        assert_eq!(Format::of_accept([]), Format::Text);
    }
}
