//! stdout and stderr: data and text go to the one, talk to the other.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{self, Failure};

/// How a command speaks.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// JSON Lines on stdout and nothing else there.
    pub json: bool,
    /// Nothing on stderr but errors.
    pub quiet: bool,
}

impl Voice {
    /// Says something to the person, on stderr.
    pub fn say(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Whether progress bars are drawn.
    pub fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }
}

/// Writes bytes to stdout at once.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| failure::stdout(&e))
}

/// Writes text to stdout at once.
pub fn text(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())
}

/// Writes a line to stdout.
pub fn line(line: &str) -> Result<(), Failure> {
    raw(format!("{line}\n").as_bytes())
}

/// Writes one JSON object as a line to stdout.
pub fn object(object: &impl Serialize) -> Result<(), Failure> {
    let wrong = |e| Failure::Machine { message: format!("cannot write the result as JSON: {e}"), hint: None };
    line(&serde_json::to_string(object).map_err(wrong)?)
}

/// Whether stdout is a terminal whose owner did not refuse colours.
pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Text in bold, where stdout is a terminal whose owner did not refuse colours.
pub fn bold(text: &str) -> String {
    if colours() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() }
}

/// A number of bytes for people.
pub fn human_bytes(n: u64) -> String {
    indicatif::BinaryBytes(n).to_string()
}

/// A large number with commas.
pub fn human_count(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}
