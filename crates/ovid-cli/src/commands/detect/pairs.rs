//! `ovid detect pairs`: human texts with the model's own beside them, to calibrate with.

use std::path::PathBuf;

use clap::Args;
use ovid_detect::pairs::{Pairs, Split};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Write what humans and the model each wrote after the same prompts: human.jsonl and machine.jsonl
///
/// Four samplers take turns: temperature 1, top-k 40, top-p 0.9, temperature 0.7. The prompt is in neither file.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ovid detect pairs essays.jsonl --out pairs\n  ovid detect calibrate --human pairs/human.jsonl --machine-texts pairs/machine.jsonl --out mine.json"
)]
pub struct MakePairs {
    /// Files and folders of human documents that the model was not trained on
    #[arg(value_name = "FILE", required = true)]
    documents: Vec<PathBuf>,
    /// The folder to write into
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    /// Take the documents that the split between training and validation holds out, those for training, or all
    #[arg(long, value_name = "held-out|training|all", default_value = "all")]
    split: Split,
    /// Tokens of a prompt
    #[arg(long, value_name = "N", default_value_t = 24)]
    prompt_tokens: usize,
    /// Tokens of a continuation, at most
    #[arg(long, value_name = "N", default_value_t = 488)]
    new_tokens: usize,
    /// Pairs of one document, at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    per_document: usize,
    /// Pairs of one source, at most
    #[arg(long, value_name = "N", default_value_t = 300)]
    per_source: usize,
    /// The i-th text is drawn with seed + i
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    choice: ModelChoice,
    #[command(flatten)]
    machine: Machine,
}

impl MakePairs {
    /// Writes both files.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        let bar = Bar::new(voice);
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let pairs = Pairs {
            documents: self.documents,
            split: self.split,
            prompt_tokens: self.prompt_tokens.max(1),
            new_tokens: self.new_tokens.max(1),
            per_document: self.per_document,
            per_source: self.per_source,
            seed: self.seed,
        };
        let n = pairs.write(&loaded.model, &loaded.tokenizer, &self.out, &bar)?;
        bar.clear();
        if voice.json {
            return output::object(&serde_json::json!({ "n_pairs": n, "folder": self.out }));
        }
        voice.say(&format!("{} pairs in {}", output::human_count(n as u64), self.out.display()));
        Ok(())
    }
}
