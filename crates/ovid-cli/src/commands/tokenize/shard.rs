//! `ovid tokenize shard`: documents to token shards.

use std::path::PathBuf;

use clap::Args;
use ovid_io::Silent;
use ovid_io::atomic::{IfExists, write_folder};
use ovid_io::digest::sha256_file;
use ovid_io::shards::{Manifest, Split};
use ovid_train::data::write_shards;

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::input;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Write token shards for training
///
/// One document in fifty is held out for validation, the same ones each time. The tokenizer is written beside the shards, in DIR/tokenizer.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid tokenize shard novels/ --tokenizer my-tokenizer -o shards")]
pub struct Shard {
    /// Files and folders of plain text or JSON Lines with `text`; .gz and .zst too; `-` is standard input
    #[arg(required = true, value_name = "DOCS")]
    docs: Vec<PathBuf>,
    /// The folder for the shards and their manifest
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    choice: ModelChoice,
    /// Replace what is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Shard {
    /// Writes the folder, whole or not at all.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let tokenizer = models::tokenizer(&self.choice)?;
        let spool = tempfile::tempdir().map_err(|e| ovid_io::Error::io(&std::env::temp_dir(), "write", e))?;
        let docs = input::rereadable(&self.docs, spool.path())?;
        let if_exists = if self.force { IfExists::Replace } else { IfExists::Refuse };
        write_folder::<Failure>(&self.out, if_exists, |folder| {
            let beside = folder.join("tokenizer");
            std::fs::create_dir_all(&beside).map_err(|e| ovid_io::Error::io(&beside, "make", e))?;
            tokenizer.save_hf(&beside)?;
            let sha256 = sha256_file(&beside.join("tokenizer.json"), &Silent)?;
            write_shards(&docs, &tokenizer, sha256, folder, self.machine.threads(), &bar)?;
            Ok(())
        })
        .map_err(|e| if self.out.exists() { e.hint("replace it with --force") } else { e })?;
        bar.clear();
        let manifest = Manifest::load(&self.out)?;
        if voice.json {
            return output::object(&manifest);
        }
        for (split, name) in [(Split::Train, "training"), (Split::Validation, "validation")] {
            let sum = |of: fn(&ovid_io::shards::Shard) -> u64| output::human_count(manifest.split(split).map(of).sum());
            voice.say(&format!(
                "{name:<12}{} documents, {} tokens, {} bytes",
                sum(|s| s.n_documents),
                sum(|s| s.n_tokens),
                sum(|s| s.n_bytes)
            ));
        }
        Ok(())
    }
}
