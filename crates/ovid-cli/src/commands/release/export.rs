//! `ovid release export`: the release as it goes out.

use std::path::PathBuf;

use clap::Args;
use ovid_release::Stage;
use ovid_release::export::{Ask, Outcome, export};
use ovid_release::fingerprint::FingerprintKey;
use ovid_release::keys::SecretKey;

use super::check::table;
use super::{Again, Day, Folder};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice, human_count};
use crate::progress::Bar;

/// Write the release as it goes out, signed; refused until the check passes
///
/// The folder appears whole or not at all. At the stage researchers a copy is for one person: it carries a keyed mark in the weights' last bits, and terms.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid release export my-model/release --stage small --key mine.key --gguf -o my-model-1\n  ovid release export my-model/release --stage researchers --to \"Ada Lovelace\" --fingerprint copies.key --key mine.key -o for-ada"
)]
pub struct Export {
    #[command(flatten)]
    folder: Folder,
    /// The stage: demo, small, researchers, full
    #[arg(long, value_name = "STAGE")]
    stage: Stage,
    /// The folder to write
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Who signs: the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A GGUF file too: the model's own where it is one, else Q8_0
    #[arg(long)]
    gguf: bool,
    /// The person that this copy is for
    #[arg(long, value_name = "NAME", requires = "fingerprint")]
    to: Option<String>,
    /// The key that marks copies
    #[arg(long, value_name = "FILE", requires = "to")]
    fingerprint: Option<PathBuf>,
    #[command(flatten)]
    day: Day,
    #[command(flatten)]
    again: Again,
}

impl Export {
    /// Writes the export, or says what is missing.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let release = self.folder.open()?;
        let (key, date) = (SecretKey::load(&self.key)?, self.day.get());
        let marks = self.fingerprint.as_deref().map(FingerprintKey::load).transpose()?;
        let to = self.to.as_deref().zip(marks.as_ref());
        let ask = Ask { check: self.again.options(self.stage, voice)?, out: &self.out, key: &key, date: &date, gguf: self.gguf, to };
        let outcome = export(&release, &ask, &bar);
        bar.clear();
        match outcome? {
            Outcome::Refused(report) => {
                if voice.json {
                    output::object(&report)?;
                } else {
                    output::text(&table(&report))?;
                }
                Err(Failure::No)
            }
            Outcome::Written(manifest) if voice.json => output::object(&*manifest),
            Outcome::Written(manifest) => {
                let n_files = human_count(manifest.files.len() as u64);
                voice.say(&format!(
                    "{}: {n_files} files, signed by {}; for {}",
                    self.out.display(),
                    manifest.signer.name,
                    manifest.who_may_have_it
                ));
                Ok(())
            }
        }
    }
}
