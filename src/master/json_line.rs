//! One line of the log as a JSON object, for machines: when, how grave, the text, and which process it is about.

use serde_json::{Map, Value};
use tracing::Level;

/// What an event says, and what the spans around it say, the outermost first. The innermost wins.
pub(super) fn json_line<'a>(
    now: &jiff::Zoned,
    level: Level,
    pid: u32,
    said: &'a Map<String, Value>,
    around: impl IntoIterator<Item = &'a Map<String, Value>>,
) -> String {
    let mut line = Map::new();
    line.insert("time".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string().into());
    line.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
    line.insert("pid".to_owned(), pid.into());
    for fields in around.into_iter().chain([said]) {
        line.extend(fields.iter().map(|(name, value)| (member(name), value.clone())));
    }
    format!("{}\n", Value::Object(line))
}

/// A field's name as JavaScript would have it.
fn member(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_line_has_its_own_fields_and_those_around_it_the_innermost_first() {
        let at: jiff::Zoned = "2026-01-02T03:04:05.678+02:00[+02:00]".parse().unwrap();
        let said = fields(json!({ "message": "two\nlines", "error_name": "AppWorkerDiedError" }));
        let around =
            [fields(json!({ "phase": "reload", "worker": 1 })), fields(json!({ "worker": 2, "cause": "killed" }))];
        let line = json_line(&at, Level::ERROR, 7, &said, &around);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        let expected = json!({
            "time": "2026-01-02T03:04:05.678+02:00", "level": "error", "pid": 7, "message": "two\nlines",
            "errorName": "AppWorkerDiedError", "phase": "reload", "worker": 2, "cause": "killed",
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}
