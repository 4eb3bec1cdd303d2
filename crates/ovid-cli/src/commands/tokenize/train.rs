//! `ovid tokenize train`: a vocabulary of one's own.

use std::path::PathBuf;

use clap::Args;
use ovid_bpe::Trained;
use ovid_io::documents::{Documents, Limits};
use ovid_io::{Observer as _, Progress};

use crate::arguments::Machine;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Train a vocabulary from text
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid tokenize train novels/ --vocab-size 8192 -o my-tokenizer")]
pub struct Train {
    /// Files and folders of plain text or JSON Lines with `text`; .gz and .zst too; `-` is standard input
    #[arg(required = true, value_name = "DOCS")]
    docs: Vec<PathBuf>,
    /// The folder for vocab.json, merges.txt and tokenizer.json
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    /// Tokens in the vocabulary: 256 bytes, merges, and the end of text
    #[arg(long, value_name = "N", default_value_t = 8192)]
    vocab_size: usize,
    #[command(flatten)]
    machine: Machine,
}

impl Train {
    /// Trains and writes the Hugging Face files.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let mut documents = Documents::open(&self.docs, Limits::default())?;
        let total = Some(documents.bytes_total()).filter(|n| *n > 0);
        let mut failed = None;
        // The trainer takes texts; a document that cannot be read ends them and is reported after.
        let texts = std::iter::from_fn(|| {
            bar.progress(Progress { stage: "reading", done: documents.bytes_read(), total, unit: "bytes" });
            match documents.next()? {
                Ok(document) => Some(document.text),
                Err(e) => {
                    failed = Some(e);
                    None
                }
            }
        });
        let trained = ovid_bpe::train(texts, self.vocab_size, self.machine.threads(), &bar);
        if let Some(error) = failed {
            return Err(error.into());
        }
        let tokenizer = trained?;
        std::fs::create_dir_all(&self.out).map_err(|e| ovid_io::Error::io(&self.out, "make", e))?;
        tokenizer.save_hf(&self.out)?;
        bar.clear();
        if voice.json {
            return output::object(&Trained { folder: self.out, vocab_size: tokenizer.vocab_size() });
        }
        voice.say(&format!("{}: {} tokens", self.out.display(), output::human_count(tokenizer.vocab_size() as u64)));
        Ok(())
    }
}
