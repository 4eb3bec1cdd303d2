//! `ovid samples publish`: a sample ready to be shown.

use std::path::PathBuf;

use clap::Args;
use ovid_samples::Ledger;
use ovid_samples::publish::Published;

use crate::failure::Failure;
use crate::output::{self, Voice};

/// Write a sample of a ledger as JSON, text, Markdown, HTML and a picture, with its number of tries
///
/// The tries are counted in the ledger: every sample that was begun for the prompt or a near-copy of it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid samples publish --ledger tries.db --id 1 -o shown")]
pub struct Publish {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The sample's number
    #[arg(long, value_name = "N")]
    id: u64,
    /// Where to write: STEM.json, STEM.txt, STEM.md, STEM.html, STEM.png [default: sample-N]
    #[arg(long, short, value_name = "STEM")]
    out: Option<PathBuf>,
}

impl Publish {
    /// Writes the files.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let published = Published::new(&Ledger::open_to_read(&self.ledger)?, self.id)?;
        let stem = self.out.unwrap_or_else(|| format!("sample-{}", self.id).into());
        let files = published.write(&stem)?;
        if voice.json {
            return output::object(&published);
        }
        let tries = published.tries;
        output::line(&format!(
            "number {} of {} tries: {} whole, {} cut short",
            tries.number,
            tries.n_tries,
            tries.n_completed,
            tries.n_aborted + tries.n_open
        ))?;
        files.iter().try_for_each(|file| output::line(&file.display().to_string()))
    }
}
