//! `ovid release`: whether a model may go out, to whom, and with which evidence.

mod card;
mod check;
mod export;
mod init;
mod key;
mod measure;
mod seal;
mod state;
mod trace_copy;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ovid_release::{Options, Release, Stage};

use crate::arguments::Machine;
use crate::failure::Failure;
use crate::machine;
use crate::output::Voice;

/// Release a model in stages, with evidence: checklist, card, signed export, verification
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid release check models/ovid-mini/release\n  ovid release export models/ovid-mini/release --stage demo --key project.key --gguf -o ovid-mini-1\n  ovid release verify ovid-mini-1"
)]
pub struct ReleaseCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Key(key::Key),
    Init(init::Init),
    Measure(measure::Measure),
    State(state::State),
    Seal(seal::Seal),
    Card(card::Card),
    Check(check::Check),
    Export(Box<export::Export>),
    Verify(verify::Verify),
    TraceCopy(trace_copy::TraceCopy),
}

impl ReleaseCommand {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Key(command) => command.run(voice),
            What::Init(command) => command.run(voice),
            What::Measure(command) => command.run(voice),
            What::State(command) => command.run(voice),
            What::Seal(command) => command.run(voice),
            What::Card(command) => command.run(voice),
            What::Check(command) => command.run(voice),
            What::Export(command) => command.run(voice),
            What::Verify(command) => command.run(voice),
            What::TraceCopy(command) => command.run(voice),
        }
    }
}

/// The folder that a team works on.
#[derive(Clone, Debug, Args)]
struct Folder {
    /// The release folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

impl Folder {
    fn open(&self) -> Result<Release, Failure> {
        Ok(Release::open(&self.folder)?)
    }
}

/// The day that is written down.
#[derive(Clone, Debug, Args)]
struct Day {
    /// The day that is written down [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<String>,
}

impl Day {
    fn get(&self) -> String {
        self.date.clone().unwrap_or_else(machine::today)
    }
}

fn day(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    match parts[..] {
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => Ok(text.to_owned()),
        _ => Err("a day looks like 2026-11-25".to_owned()),
    }
}

/// How samples are made again.
#[derive(Clone, Debug, Args)]
struct Again {
    /// Samples of the dump that are made again, chosen at random
    #[arg(long, value_name = "N", default_value_t = 8)]
    samples: u32,
    /// What chooses them [default: drawn from the system, and said]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    seed: Option<u64>,
    #[command(flatten)]
    machine: Machine,
}

impl Again {
    fn options(&self, stage: Stage, voice: Voice) -> Result<Options, Failure> {
        let seed = machine::seed(self.seed, voice)?;
        Ok(Options { stage, n_samples: self.samples, seed, n_threads: self.machine.threads(), unit: machine::vector_unit()? })
    }
}
