//! `--config FILE.toml`: every long flag of a command may stand in the file as a key; a flag on the command line wins.
//!
//! A key before any `[section]` is for whichever command is run; a section named as the command (`[generate]`, `[tokenize.train]`) holds for that one alone.

use std::ffi::OsString;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use ovid_io::documents::is_stdin;

use crate::failure::Failure;

/// The arguments with the keys of their configuration file put in as flags, where there is one.
pub fn merge(root: &Command, arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let Ok(matches) = root.clone().ignore_errors(true).try_get_matches_from(&arguments) else { return Ok(arguments) };
    let mut path: Vec<String> = Vec::new();
    let (mut command, mut given) = (root, &matches);
    while let Some((name, inner)) = given.subcommand() {
        let Some(next) = command.find_subcommand(name) else { break };
        path.push(name.to_string());
        (command, given) = (next, inner);
    }
    let Some(file) = given.try_get_one::<std::path::PathBuf>("config").ok().flatten() else { return Ok(arguments) };
    let table = read(file)?;
    if let Some(section) = table.iter().find(|(k, v)| v.is_table() && root.find_subcommand(k).is_none()) {
        return Err(wrong(file, &format!("no command is called '{}'", section.0)));
    }
    let flags = flags_of(file, &table, &path, command, given)?;
    // After the command's name, before what was typed; names of subcommands may be abbreviated by nobody, so each stands as it is.
    let mut place = 1;
    for name in &path {
        place += arguments[place..].iter().position(|a| a == name.as_str()).map_or(0, |at| at + 1);
    }
    let mut merged = arguments;
    merged.splice(place..place, flags);
    Ok(merged)
}

fn wrong(file: &Path, what: &str) -> Failure {
    Failure::input(format!("'{}': {what}", file.display()))
}

fn read(file: &Path) -> Result<toml::Table, Failure> {
    let text = if is_stdin(file) { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text.map_err(|e| ovid_io::Error::io(file, "read", e))?;
    text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |s| 1 + text.bytes().take(s.start).filter(|b| *b == b'\n').count());
        Failure::input(format!("'{}' line {line}: {}", file.display(), e.message()))
    })
}

/// The file's keys as flags of `command`, without those that were typed.
fn flags_of(file: &Path, table: &toml::Table, path: &[String], command: &Command, given: &ArgMatches) -> Result<Vec<OsString>, Failure> {
    let mut section = Some(table);
    for name in path {
        section = section.and_then(|s| s.get(name)).and_then(toml::Value::as_table);
    }
    let own = section.filter(|s| !std::ptr::eq(*s, table)).into_iter().flatten();
    let mut flags = Vec::new();
    for (key, value) in table.iter().filter(|(k, _)| section.is_none_or(|s| !s.contains_key(*k))).chain(own) {
        if value.is_table() {
            continue;
        }
        let long = key.replace('_', "-");
        let Some(argument) = command.get_arguments().find(|a| a.get_long() == Some(&long) && long != "config") else {
            return Err(wrong(file, &format!("unknown key '{key}'"))
                .hint(format!("the keys are the long flags of: ovid {} --help", path.join(" "))));
        };
        if given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine) {
            continue;
        }
        let values = match value {
            toml::Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        for value in values {
            match (scalar(&value), argument.get_action()) {
                (Some(v), ArgAction::SetTrue) if v == "true" => flags.push(format!("--{long}").into()),
                (Some(v), ArgAction::SetTrue) if v == "false" => {}
                (Some(v), ArgAction::Set | ArgAction::Append) => flags.push(format!("--{long}={v}").into()),
                _ => return Err(wrong(file, &format!("key '{key}' cannot be {value}"))),
            }
        }
    }
    Ok(flags)
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(x) => Some(x.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}
