//! `ovid release seal`: the folder as it is, recorded and signed.

use std::path::PathBuf;

use clap::Args;
use ovid_release::keys::SecretKey;
use ovid_release::record;

use super::{Day, Folder};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice, human_count};
use crate::progress::Bar;

/// Record every file of the folder and the model that they are about, and sign the record: what changes afterwards is seen
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid release seal my-model/release --key mine.key")]
pub struct Seal {
    #[command(flatten)]
    folder: Folder,
    /// Who signs: the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    day: Day,
}

impl Seal {
    /// Signs and writes.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let record = record::seal(&self.folder.open()?, &SecretKey::load(&self.key)?, &self.day.get(), &bar)?;
        bar.clear();
        if voice.json {
            return output::object(&record);
        }
        let n_files = human_count(record.files.len() as u64);
        voice.say(&format!("{n_files} files for the weights {}, signed by {}", &record.model.sha256[..12], record.signer.name));
        Ok(())
    }
}
