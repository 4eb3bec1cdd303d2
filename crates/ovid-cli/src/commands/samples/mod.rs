//! `ovid samples`: samples that a stranger can check.

mod check;
mod dump;
mod publish;
mod quiz;
mod stats;
mod trace;
mod verify;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ovid_io::Observer;
use ovid_samples::Batch;

use crate::failure::Failure;
use crate::input::{self, LastNewline};
use crate::models::Loaded;
use crate::output::Voice;

/// Show samples that others can check: raw dumps, tries counted, verification to the bit
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid samples dump --unconditional -n 100 -o dump\n  ovid samples verify dump\n  ovid generate --ledger tries.db \"So it goes.\" && ovid samples publish --ledger tries.db --id 1 -o shown"
)]
pub struct Samples {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Dump(dump::Dump),
    Verify(verify::Verify),
    Publish(publish::Publish),
    Check(check::Check),
    Trace(trace::Trace),
    Stats(stats::Stats),
    Quiz(quiz::Quiz),
}

impl Samples {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Dump(command) => command.run(voice),
            What::Verify(command) => command.run(voice),
            What::Publish(command) => command.run(voice),
            What::Check(command) => command.run(voice),
            What::Trace(command) => command.run(voice),
            What::Stats(command) => command.run(voice),
            What::Quiz(command) => command.run(voice),
        }
    }
}

/// How many samples run side by side.
#[derive(Clone, Copy, Debug, Args)]
struct SideBySide {
    /// Samples drawn side by side: more are faster and take more memory, and change no bit
    #[arg(long, value_name = "N", default_value = "16")]
    batch: NonZeroUsize,
}

impl SideBySide {
    fn of<'a>(self, loaded: &'a Loaded, observer: &'a dyn Observer) -> Batch<'a> {
        Batch { model: &loaded.model, tokenizer: &loaded.tokenizer, n_side_by_side: self.batch, observer }
    }
}

/// All texts of files.
fn texts(files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    input::texts(Vec::new(), files, LastNewline::Cut)?.map(|t| Ok(String::from_utf8_lossy(&t?).into_owned())).collect()
}
