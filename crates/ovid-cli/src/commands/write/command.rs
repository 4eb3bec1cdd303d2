//! What a line means.

use std::path::PathBuf;

use clap::{Args, FromArgMatches};

use crate::failure::Failure;
use crate::sampling::SamplingFlags;

/// What the person asks for.
#[derive(Debug)]
pub enum Command {
    /// Append this and go on.
    Type(String),
    /// Go on.
    Continue,
    /// Another continuation in place of the last.
    Retry,
    /// The text before the last continuation, without what was typed for it.
    Undo,
    /// Change how the next continuation is drawn.
    Set(Box<SamplingFlags>),
    /// Draw from here on with another seed.
    Seed(u64),
    /// Show the whole text.
    Text,
    /// Write the text to a file.
    Save(PathBuf),
    /// List the commands.
    Help,
    /// Leave.
    Quit,
}

/// The list that `/help` shows.
pub const HELP: &str = "\
an empty line            go on
some words               append them and go on; \\n is a new line, a line that begins with // begins with /
/retry                   another continuation in place of the last
/undo                    take the last step back
/set temperature 0.7     change a setting: any flag of `ovid generate --help` about sampling
/seed 42                 draw with another seed
/text                    show the whole text
/save FILE               write it to a file
/quit                    leave (or Ctrl-D); Ctrl-C ends a continuation";

impl Command {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self, Failure> {
        if line.is_empty() {
            return Ok(Self::Continue);
        }
        let Some(rest) = line.strip_prefix('/').filter(|r| !r.starts_with('/')) else {
            let text = line.strip_prefix("//").map_or_else(|| line.to_string(), |rest| format!("/{rest}"));
            return Ok(Self::Type(text.replace("\\n", "\n")));
        };
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let value = value.trim();
        match (name, value) {
            ("continue", "") => Ok(Self::Continue),
            ("retry", "") => Ok(Self::Retry),
            ("undo", "") => Ok(Self::Undo),
            ("text", "") => Ok(Self::Text),
            ("help", "") => Ok(Self::Help),
            ("quit" | "exit", "") => Ok(Self::Quit),
            ("set", v) if !v.is_empty() => set(v).map(|flags| Self::Set(Box::new(flags))),
            ("seed", v) => v.parse().map(Self::Seed).map_err(|_| Failure::input(format!("'{v}' is no seed")).hint("/seed 42")),
            ("save", v) if !v.is_empty() => Ok(Self::Save(PathBuf::from(v))),
            _ => Err(Failure::input(format!("no command is called '{line}'")).hint("/help lists the commands")),
        }
    }
}

/// `temperature 0.7`, `--temperature 0.7` or `temperature=0.7`, as the command line would read it.
fn set(text: &str) -> Result<SamplingFlags, Failure> {
    let text = text.trim_start_matches('-');
    let (name, value) = text.split_once([' ', '=']).unwrap_or((text, ""));
    let flag = if value.is_empty() { format!("--{name}") } else { format!("--{name}={}", value.trim()) };
    let parser =
        SamplingFlags::augment_args(clap::Command::new("set").no_binary_name(true).disable_help_flag(true).allow_negative_numbers(true));
    let matches = parser.try_get_matches_from([flag]).and_then(|m| SamplingFlags::from_arg_matches(&m));
    matches.map_err(|e| {
        let said = e.to_string();
        let first = said.lines().next().unwrap_or_default();
        Failure::input(first.strip_prefix("error: ").unwrap_or(first))
            .hint("/set temperature 0.7; the settings are the sampling flags of: ovid generate --help")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_or_commands() {
        let check = |line: &str, expected: &str| {
            let said = Command::parse(line).map_or_else(|_| "error".to_string(), |c| format!("{c:?}"));
            assert!(said.starts_with(expected), "{line:?}: {said}");
        };
        check("", "Continue");
        check("So it goes.", "Type(\"So it goes.\")");
        check("one\\ntwo", "Type(\"one\\ntwo\")");
        check("//etc", "Type(\"/etc\")");
        check("/retry", "Retry");
        check("/save a b.txt", "Save(\"a b.txt\")");
        check("/seed 7", "Seed(7)");
        check("/seed x", "error");
        check("/dance", "error");
        check("/set", "error");
        check("/set temperature 0.7", "Set");
        check("/set --top-k=3", "Set");
        check("/set temperature -1", "error");
        check("/set colour red", "error");
    }
}
