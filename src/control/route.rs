//! From a request's method, path and body to what is meant, or to the answer that says what is wrong with it. Pure.

use serde_json::{Map, Value};

use super::ask::{Ask, Reply, Verb, Whom};

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The unix socket, which only the cluster's own user can connect to.
    Control,
    /// The TCP port, where nothing can be changed.
    Admin,
}

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The master's loop answers.
    Ask(Ask),
    /// The master's loop answers, in the format that the head asks for.
    Metrics,
    /// The master lives, or nobody would answer.
    Health,
    /// The live page.
    Page,
    /// What happens, as it happens.
    Events,
    /// An action; its operands are in the body.
    Verb(&'static str),
}

const VERBS: [&str; 8] = ["reload", "scale", "restart", "isolate", "rejoin", "stop", "stack", "upgrade"];

/// The most app workers there can be; the number of `lib/options.js`.
const MAX_WORKERS: u64 = 1024;

/// What is asked for.
///
/// # Errors
/// The answer to a path or a method that there is not.
pub fn route(face: Face, method: &str, path: &str) -> Result<Route, Reply> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if let Some(verb) = VERBS.iter().find(|verb| **verb == name) {
        return match (face, method) {
            (Face::Admin, _) => {
                Err(Reply::error(403, "ERR_CLUTCH_OPTION", &format!("/{verb} is there on the control socket only")))
            }
            (Face::Control, "POST") => Ok(Route::Verb(verb)),
            (Face::Control, _) => Err(wrong_method(path, "POST")),
        };
    }
    let route = match name {
        "status" => Route::Ask(Ask::Status),
        "metrics" => Route::Metrics,
        "readyz" => Route::Ask(Ask::Ready),
        "healthz" => Route::Health,
        "events" => Route::Events,
        "" if face == Face::Admin => Route::Page,
        _ => return Err(Reply::error(404, "ERR_CLUTCH_OPTION", &format!("there is nothing at {}", shown(path)))),
    };
    if method == "GET" || (method == "HEAD" && route != Route::Events) {
        Ok(route)
    } else {
        Err(wrong_method(path, "GET"))
    }
}

/// An action with its operands, and whether its end is waited for (`"wait": false` is answered with 202 once it has begun).
///
/// # Errors
/// The answer to a body that does not say what is needed.
pub fn verb(name: &str, body: &[u8]) -> Result<(Verb, bool), Reply> {
    let mut fields = fields(body)?;
    let waits = boolean(&mut fields, "wait")?.unwrap_or(true);
    let verb = match name {
        "reload" => Verb::Reload(boolean(&mut fields, "agent")?),
        "scale" => Verb::Scale(whole(&mut fields, "workers", MAX_WORKERS)?),
        "restart" => Verb::Restart(whom(&mut fields)?),
        "isolate" => Verb::Isolate(whole(&mut fields, "id", u64::from(u32::MAX))?),
        "rejoin" => Verb::Rejoin(whole(&mut fields, "id", u64::from(u32::MAX))?),
        "stack" => Verb::Stack(whom(&mut fields)?),
        "stop" => Verb::Stop,
        "upgrade" => Verb::Upgrade,
        _ => return Err(bad(&format!("there is no verb {name}"))),
    };
    match fields.keys().next() {
        Some(name) => Err(bad(&format!("there is no field {:?} here", shown(name)))),
        None => Ok((verb, waits)),
    }
}

fn wrong_method(path: &str, allowed: &'static str) -> Reply {
    let reply = Reply::error(405, "ERR_CLUTCH_OPTION", &format!("{} takes {allowed}", shown(path)));
    Reply { allow: Some(allowed), ..reply }
}

fn bad(message: &str) -> Reply {
    Reply::error(400, "ERR_CLUTCH_OPTION", message)
}

/// As much of what somebody sent as an error may repeat.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn fields(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(bad("the body must be a JSON object")),
        Err(error) => Err(bad(&format!("the body must be a JSON object: {error}"))),
    }
}

fn boolean(fields: &mut Map<String, Value>, name: &str) -> Result<Option<bool>, Reply> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(found) => Err(bad(&format!("{name} must be true or false, got {}", shown(&found.to_string())))),
    }
}

fn whole(fields: &mut Map<String, Value>, name: &str, most: u64) -> Result<u32, Reply> {
    let found = fields.remove(name).unwrap_or_default();
    let number = found.as_u64().filter(|number| (1..=most).contains(number));
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
        bad(&format!("{name} must be a whole number from 1 to {most}, got {}", shown(&found.to_string())))
    })
}

fn whom(fields: &mut Map<String, Value>) -> Result<Whom, Reply> {
    if fields.get("id").is_some_and(|id| id == "agent") {
        fields.remove("id");
        return Ok(Whom::Agent);
    }
    if fields.get("id").is_some_and(Value::is_u64) {
        return whole(fields, "id", u64::from(u32::MAX)).map(Whom::App);
    }
    let found = fields.remove("id").unwrap_or_default();
    Err(bad(&format!("id must be the number of an app worker, or \"agent\", got {}", shown(&found.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(result: Result<Route, Reply>) -> u16 {
        result.map_or_else(|reply| reply.status, |_| 200)
    }

    #[test]
    fn what_is_shown_is_there_on_both_faces_and_verbs_on_the_socket_only() {
        for face in [Face::Control, Face::Admin] {
            for path in ["/status", "/metrics", "/readyz", "/healthz", "/events"] {
                assert_eq!(status(route(face, "GET", path)), 200, "{path}");
                assert_eq!(status(route(face, "POST", path)), 405, "{path}");
            }
            for path in ["/statusx", "/status/", "//status", "/reload/x"] {
                assert_eq!(status(route(face, "GET", path)), 404, "{path}");
            }
        }
        assert_eq!(route(Face::Admin, "GET", "/"), Ok(Route::Page));
        assert_eq!(status(route(Face::Control, "GET", "/")), 404);
        for name in VERBS {
            let path = format!("/{name}");
            assert_eq!(route(Face::Control, "POST", &path), Ok(Route::Verb(name)));
            assert_eq!(status(route(Face::Control, "GET", &path)), 405);
            assert_eq!(status(route(Face::Admin, "POST", &path)), 403);
        }
    }

    #[test]
    fn operands_are_read_from_the_body() {
        let cases: [(&str, &str, Verb); 10] = [
            ("upgrade", "{}", Verb::Upgrade),
            ("reload", "", Verb::Reload(None)),
            ("reload", r#"{"agent":true}"#, Verb::Reload(Some(true))),
            ("scale", r#"{"workers":3}"#, Verb::Scale(3)),
            ("restart", r#"{"id":7}"#, Verb::Restart(Whom::App(7))),
            ("restart", r#"{"id":"agent"}"#, Verb::Restart(Whom::Agent)),
            ("isolate", r#"{"id":1}"#, Verb::Isolate(1)),
            ("rejoin", r#"{"id":4294967295}"#, Verb::Rejoin(u32::MAX)),
            ("stack", r#"{"id":"agent"}"#, Verb::Stack(Whom::Agent)),
            ("stop", " {} ", Verb::Stop),
        ];
        for (name, body, expected) in cases {
            assert_eq!(verb(name, body.as_bytes()), Ok((expected, true)), "{name} {body}");
        }
        assert_eq!(verb("stop", br#"{"wait":false}"#), Ok((Verb::Stop, false)));
    }

    #[test]
    fn a_body_that_does_not_say_what_is_needed_is_answered_with_what_is() {
        let cases = [
            ("scale", "{}", "workers must be a whole number from 1 to 1024, got null"),
            ("scale", r#"{"workers":0}"#, "workers must be a whole number from 1 to 1024, got 0"),
            ("scale", r#"{"workers":1.5}"#, "workers must be"),
            ("scale", r#"{"workers":-1}"#, "workers must be"),
            ("scale", r#"{"workers":1e9}"#, "workers must be"),
            ("restart", r#"{"id":"app"}"#, "id must be the number of an app worker"),
            ("restart", "{}", "id must be"),
            ("isolate", r#"{"id":4294967296}"#, "id must be"),
            ("reload", r#"{"agent":"yes"}"#, "agent must be true or false"),
            ("reload", r#"{"agents":true}"#, "there is no field"),
            ("stop", "[]", "must be a JSON object"),
            ("stop", "{", "must be a JSON object"),
            ("stop", "\u{0}", "must be a JSON object"),
        ];
        for (name, body, expected) in cases {
            let reply = verb(name, body.as_bytes()).unwrap_err();
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, 400, "{name} {body}");
            assert!(text.contains(expected), "{name} {body}: {text}");
        }
    }

    #[test]
    fn an_error_repeats_little_of_what_was_sent() {
        let path = format!("/{}", "é".repeat(100_000));
        assert!(route(Face::Admin, "GET", &path).is_err_and(|reply| reply.body.len() < 400));
        let body = format!(r#"{{"workers":"{}"}}"#, "x".repeat(100_000));
        assert!(verb("scale", body.as_bytes()).is_err_and(|reply| reply.body.len() < 400));
    }
}
