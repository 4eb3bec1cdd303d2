//! `ovid release state`: an item of the checklist answered and signed.

use std::path::PathBuf;

use clap::Args;
use ovid_release::keys::SecretKey;
use ovid_release::statement;

use super::Day;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Answer an item of the checklist that asks for somebody's words, and sign the answer
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid release state limits my-model/release --key mine.key --text \"It knows nothing: ...\"")]
pub struct State {
    /// The item
    #[arg(value_name = "ITEM")]
    item: String,
    /// The release folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Whose words they are: the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The answer
    #[arg(long, value_name = "TEXT", conflicts_with = "file", required_unless_present = "file")]
    text: Option<String>,
    /// The answer, in a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    day: Day,
}

impl State {
    /// Signs and writes.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let release = ovid_release::Release::open(&self.folder)?;
        let text = match (self.text, self.file) {
            (Some(text), _) => text,
            (None, Some(file)) => std::fs::read_to_string(&file).map_err(|e| ovid_io::Error::io(&file, "read", e))?,
            (None, None) => String::new(),
        };
        let key = SecretKey::load(&self.key)?;
        let sha256 = ovid_io::digest::sha256_tree(&release.model(), &bar)?;
        let statement = statement::sign(&release, &self.item, &text, &sha256, &key, &self.day.get())?;
        if voice.json {
            return output::object(&statement);
        }
        voice.say(&format!("{}: signed by {} for the weights {}", self.item, statement.signer, &sha256[..12]));
        Ok(())
    }
}
