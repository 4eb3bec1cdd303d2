//! `ovid write`: a person and a model write a text together.

mod command;
mod session;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::ledger;
use crate::machine;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;
use crate::sampling::SamplingFlags;
use command::Command;
use session::Session;

/// Write a text together with the model
///
/// What you type is appended to the text and continued; an empty line continues it further. /help lists what else there is.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true, after_help = "Example:\n  ovid write --model gpt2 --max-tokens 40")]
pub struct Interactive {
    /// Begin with the text of this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    choice: ModelChoice,
    /// Take every continuation down in this ledger before its first token is shown; it is made where there is none
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// Where the random numbers begin; drawn and printed where it is not given
    #[arg(long, value_name = "N", help_heading = "Common options")]
    seed: Option<u64>,
    #[command(flatten)]
    machine: Machine,
}

impl Interactive {
    /// Reads lines until the end of input or /quit.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let loaded = {
            let _graceful = interrupt::graceful();
            models::load(&self.choice, &self.machine, &Bar::new(voice))?
        };
        let seed = machine::seed(self.seed, voice)?;
        let ledger = self.ledger.as_deref().map(|path| ledger::open(path, &loaded)).transpose()?;
        let mut session = Session::new(loaded, ledger, self.sampling, seed, voice);
        if let Some(file) = &self.file {
            let bytes = std::fs::read(file).map_err(|e| ovid_io::Error::io(file, "read", e))?;
            session.open(String::from_utf8_lossy(&bytes).into_owned());
        }
        voice.say("type a text and press Enter; an empty line goes on; /help lists the commands");
        loop {
            let Some(line) = ask(voice)? else { return Ok(()) };
            match Command::parse(&line) {
                Ok(Command::Quit) => return Ok(()),
                Ok(command) => match session.obey(command) {
                    // A slip of the person is said, and the text stays.
                    Err(slip @ (Failure::Input { .. } | Failure::Machine { .. })) => {
                        slip.report();
                    }
                    outcome => outcome?,
                },
                Err(slip) => {
                    slip.report();
                }
            }
        }
    }
}

/// One line, or nothing at the end of input. The prompt is talk.
fn ask(voice: Voice) -> Result<Option<String>, Failure> {
    let mut stdin = std::io::stdin().lock();
    if !voice.quiet && std::io::stdin().is_terminal() {
        let mut stderr = std::io::stderr();
        let _ = stderr.write_all(b"> ").and_then(|()| stderr.flush());
    }
    let mut bytes = Vec::new();
    let n = stdin
        .read_until(b'\n', &mut bytes)
        .map_err(|e| Failure::Machine { message: format!("cannot read standard input: {e}"), hint: None })?;
    if n == 0 {
        if std::io::stdin().is_terminal() && !voice.json {
            output::line("")?;
        }
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&bytes);
    Ok(Some(line.trim_end_matches(['\n', '\r']).to_string()))
}
