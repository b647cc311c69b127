//! Who may import whom, read from the sources themselves.
//!
//! Owns the layer table of the crate and the house rules that a text scan can hold: every file opens with `//!`, no module has a
//! name that says nothing, and `unsafe` is allowed nowhere but in its places. Test modules inside the sources are not read.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Outcome = Result<(), Box<dyn Error>>;

/// One row of the table: what a layer may name of ours, and of the crates in `Cargo.toml`.
struct Layer {
    name: &'static str,
    ours: &'static [&'static str],
    crates: &'static [&'static str],
}

/// Top to bottom. An entry of `ours` is a layer, or a path inside one where only that part may be seen.
const LAYERS: &[Layer] = &[
    Layer {
        name: "bindings",
        ours: &["master", "worker", "message", "error"],
        crates: &["napi", "napi_derive", "tracing", "tracing_subscriber", "serde", "serde_json", "thiserror"],
    },
    Layer {
        name: "master",
        ours: &["supervisor", "slot", "router", "listen", "transport", "control", "sys", "message", "error"],
        crates: &["tokio", "tracing", "tracing_subscriber", "serde", "serde_json", "bytes", "jiff", "thiserror"],
    },
    Layer {
        name: "control",
        ours: &["sys"],
        crates: &["tokio", "hyper", "hyper_util", "http_body_util", "serde_json", "bytes", "thiserror"],
    },
    Layer {
        name: "worker",
        ours: &["transport", "sys", "message", "error"],
        crates: &["tokio", "tracing", "serde_json", "bytes", "thiserror"],
    },
    Layer { name: "supervisor", ours: &["slot", "message::address"], crates: &[] },
    Layer { name: "slot", ours: &["message::address"], crates: &[] },
    Layer { name: "router", ours: &["message"], crates: &[] },
    // The dealing of connections is pure; taking them is not, and is done on the master's runtime.
    Layer { name: "listen", ours: &["slot", "sys", "message"], crates: &["tokio", "thiserror", "httparse", "ppp"] },
    Layer {
        name: "transport",
        ours: &["sys", "message"],
        crates: &["bytes", "memchr", "serde", "serde_json", "thiserror"],
    },
    Layer { name: "sys", ours: &[], crates: &["nix", "thiserror"] },
    Layer { name: "message", ours: &[], crates: &["bytes", "serde", "serde_json", "thiserror"] },
];

/// Crates that only some files of a layer may use. `sys/watched.rs` is where an unsafe promise to tokio is made good.
const PLACES: &[(&str, &[&str])] = &[("tokio", &["transport/channel", "sys/watched.rs", "sys/alarm.rs"])];

/// Where the crate-wide `deny(unsafe_code)` may be lifted.
/// The last three call JavaScript from the event loop, copy strings in and out of shared memory, and lay ArrayBuffers over it: for these napi-rs has
/// no safe way.
const UNSAFE_PLACES: &[&str] =
    &["sys/", "transport/switchboard/memory.rs", "bindings/callback.rs", "bindings/in_place.rs", "bindings/text.rs"];

const FORBIDDEN_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "mode", "misc"];

struct Source {
    /// Below `src`, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The first folder, or the file's own name for a file that lies in `src` itself.
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many `super::` lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// The code without comments, up to the test module.
    fn code(&self) -> String {
        let mut code = String::new();
        let mut lines = self.text.lines().peekable();
        while let Some(line) = lines.next() {
            let opens_tests = line.trim() == "#[cfg(test)]"
                && lines
                    .peek()
                    .is_some_and(|next| next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{'));
            if opens_tests {
                break;
            }
            code.push_str(line.split("//").next().unwrap_or_default());
            code.push('\n');
        }
        code
    }
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read_sources(folder: &Path, found: &mut Vec<Source>) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(source_folder())?.to_string_lossy().into_owned();
            found.push(Source { path: below, text: fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

fn sources() -> Result<Vec<Source>, Box<dyn Error>> {
    let mut found = Vec::new();
    read_sources(&source_folder(), &mut found)?;
    assert!(!found.is_empty(), "no source was found in {}", source_folder().display());
    found.retain(|source| !source.path.split('/').any(|part| part == "tests" || part == "tests.rs"));
    Ok(found)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every position behind `word` where it starts a path, as `tokio` does in `tokio::net` but not in `crate::tokio::net`.
fn path_starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let before = &code[..at];
        let rest = &code[at + word.len()..];
        let starts = !before.ends_with(is_word) && !before.ends_with("::");
        let leads_on = rest.starts_with("::") || (before.trim_end().ends_with("use") && rest.starts_with(';'));
        (starts && leads_on).then_some(rest)
    })
}

/// What follows `crate::`, two names deep at most: `use crate::{sys, message::address::Seat}` gives `sys` and `message::address`.
fn named_paths(rest: &str) -> Vec<String> {
    let rest = rest.strip_prefix("::").unwrap_or(rest);
    let Some(group) = rest.strip_prefix('{') else {
        let path: String = rest.chars().take_while(|&character| is_word(character) || character == ':').collect();
        let names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).take(2).collect();
        return vec![names.join("::")];
    };
    let mut depth = 1;
    let mut start = 0;
    let mut paths = Vec::new();
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && character == ',') {
            let entry = group[start..at].trim();
            if !entry.is_empty() {
                // A group inside a path (`slot::{Exit, Slot}`) names the path before its brace.
                paths.extend(named_paths(entry.split("::{").next().unwrap_or_default()));
            }
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    paths
}

fn may_see(layer: &Layer, path: &str) -> bool {
    let first = path.split("::").next().unwrap_or_default();
    first == layer.name || layer.ours.iter().any(|&allowed| allowed == first || allowed == path)
}

fn dependencies() -> Result<Vec<String>, Box<dyn Error>> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))?;
    let names = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect();
    Ok(names)
}

fn is_place_of(name: &str, source: &Source) -> bool {
    PLACES
        .iter()
        .any(|(place_of, places)| *place_of == name && places.iter().any(|place| source.path.starts_with(place)))
}

/// Every breach of the table in one file, in words.
fn breaches(source: &Source, dependencies: &[String]) -> Vec<String> {
    let code = source.code();
    let mut found = Vec::new();
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == source.layer()) else {
        if source.layer() != "lib" && source.layer() != "error" {
            found.push(format!("src/{}: '{}' is no layer of the table", source.path, source.layer()));
        }
        return found;
    };
    for path in path_starts(&code, "crate").flat_map(named_paths) {
        if !may_see(layer, &path) {
            found.push(format!("src/{}: {} may not see crate::{path}", source.path, layer.name));
        }
    }
    for name in dependencies {
        let allowed = layer.crates.contains(&name.as_str()) || is_place_of(name, source);
        if !allowed && path_starts(&code, name).next().is_some() {
            found.push(format!("src/{}: {} may not use {name}", source.path, layer.name));
        }
    }
    if code.contains(&"super::".repeat(source.depth())) {
        found.push(format!("src/{}: leaves its layer by super::, write crate::", source.path));
    }
    found
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_layer_imports_only_what_the_table_allows() -> Outcome {
    let dependencies = dependencies()?;
    assert!(dependencies.iter().any(|name| name == "napi"), "the dependencies were not read: {dependencies:?}");
    let found: Vec<String> = sources()?.iter().flat_map(|source| breaches(source, &dependencies)).collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn every_file_opens_with_what_it_owns() -> Outcome {
    let opens = |source: &Source| {
        let first = source.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
        first.is_some_and(|line| line.starts_with("//!"))
    };
    let found: Vec<String> = sources()?
        .iter()
        .filter(|source| !opens(source))
        .map(|source| format!("src/{}: does not open with //!", source.path))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn no_module_has_a_name_that_says_nothing() -> Outcome {
    let says_nothing = |source: &Source| {
        source.path.split('/').any(|part| FORBIDDEN_NAMES.contains(&part.strip_suffix(".rs").unwrap_or(part)))
    };
    let found: Vec<String> = sources()?
        .iter()
        .filter(|source| says_nothing(source))
        .map(|source| format!("src/{}: forbidden module name", source.path))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn unsafe_code_is_denied_but_in_its_places() -> Outcome {
    let sources = sources()?;
    let root = sources.iter().find(|source| source.path == "lib.rs").ok_or("src/lib.rs is missing")?;
    assert!(root.text.contains("#![deny(unsafe_code)]"), "src/lib.rs must deny unsafe code");
    let lifts = |source: &Source| source.code().contains("allow(unsafe_code");
    let is_place = |source: &Source| UNSAFE_PLACES.iter().any(|place| source.path.starts_with(place));
    // The root may lift it for a whole layer only by naming that layer's module.
    let found: Vec<String> = sources
        .iter()
        .filter(|source| source.path != "lib.rs" && lifts(source) && !is_place(source))
        .map(|source| format!("src/{}: lifts deny(unsafe_code)", source.path))
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn the_switchboard_has_its_atomics_from_one_place() -> Outcome {
    let names_atomics = |source: &Source| {
        let code = source.code();
        ["std::sync", "core::sync", "loom::"].iter().any(|path| code.contains(path))
    };
    let inside: Vec<Source> =
        sources()?.into_iter().filter(|source| source.path.starts_with("transport/switchboard/")).collect();
    let found: Vec<&str> =
        inside.iter().filter(|source| names_atomics(source)).map(|source| source.path.as_str()).collect();
    assert_eq!(found, ["transport/switchboard/sync.rs"], "loom would not see what others use");
    Ok(())
}

#[test]
fn the_scan_sees_groups_nested_paths_and_ways_out() {
    assert_eq!(
        named_paths("::{sys, message::address::{Seat, Target}, slot::{self}};"),
        ["sys", "message::address", "slot"]
    );
    assert_eq!(named_paths("::slot::Exit;"), ["slot::Exit"]);
    let breach = |path: &str, text: &str| {
        let source = Source { path: path.into(), text: text.into() };
        breaches(&source, &["tokio".into(), "nix".into()])
    };
    assert_eq!(
        breach("router/routes.rs", "use crate::sys::spawn;"),
        ["src/router/routes.rs: router may not see crate::sys::spawn"]
    );
    assert_eq!(breach("slot/exit.rs", "use crate::message::envelope::Envelope;").len(), 1);
    assert_eq!(breach("slot/exit.rs", "use crate::message::address::Seat;").len(), 0);
    assert_eq!(breach("supervisor/mod.rs", "fn f() { tokio::spawn(g()) }").len(), 1);
    assert_eq!(breach("transport/channel/mod.rs", "use tokio::net::UnixStream;").len(), 0);
    assert_eq!(breach("transport/in_process.rs", "use tokio::net::UnixStream;").len(), 1);
    assert_eq!(breach("router/routes.rs", "use super::super::sys;").len(), 1);
    assert_eq!(breach("router/routes.rs", "use super::Roster; // crate::sys").len(), 0);
    assert_eq!(breach("router/routes.rs", "#[cfg(test)]\nmod tests {\n use crate::sys;\n}").len(), 0);
    assert_eq!(breach("odds/mod.rs", "").len(), 1);
}
