//! `ovid samples dump`: hundreds of samples as they come.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ovid_samples::dump::{self, MANIFEST, Plan, Setting};

use super::SideBySide;
use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::ledger;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Write hundreds of raw samples, in the layout of the dumps that were published with GPT-2 in 2019
///
/// Sample i is drawn with seed i, from 0. Stopped or killed, the same command goes on where it was and ends in the same bytes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid samples dump --model gpt2 -n 500 --settings t1,t0.7,k40 --max-tokens 512 --unconditional -o dump\n  ovid samples dump -n 100 --prompts contexts.jsonl -o dump"
)]
pub struct Dump {
    #[command(flatten)]
    choice: ModelChoice,
    /// Samples a file
    #[arg(long, short = 'n', value_name = "N", default_value = "500")]
    samples: NonZeroU32,
    /// How tokens are chosen, a file each: t0.7 is a temperature, k40 top-k, p0.9 top-p, t0.7k40 both
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "t1,t0.7,k40")]
    settings: Vec<Setting>,
    /// Tokens a sample
    #[arg(long, short = 'l', value_name = "N", default_value = "512")]
    max_tokens: usize,
    /// Samples without a prompt
    #[arg(long)]
    unconditional: bool,
    /// Samples that continue the texts of this file (JSON Lines with `text`, or one plain text), each in its turn; may be given again
    #[arg(long, value_name = "FILE")]
    prompts: Vec<PathBuf>,
    /// The folder to write
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Take every sample down in this ledger too
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    side: SideBySide,
    #[command(flatten)]
    machine: Machine,
}

impl Dump {
    /// Writes the dump.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let prompts = super::texts(&self.prompts)?;
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let origin = loaded.origin()?;
        let batch = self.side.of(&loaded, &bar);
        let given = (!self.prompts.is_empty()).then_some(prompts.as_slice());
        let plan = Plan::new(&batch, &origin, self.samples, self.max_tokens, self.settings, self.unconditional, given)?;
        let recorder = self.ledger.as_deref().map(|path| ledger::open(path, &loaded)).transpose()?;
        let manifest = dump::dump(&self.out, &plan, &prompts, &batch, recorder);
        bar.clear();
        let manifest = manifest?;
        if voice.json {
            return output::object(&manifest);
        }
        for file in &manifest.files {
            voice.say(&format!("{}: {} samples", self.out.join(&file.text.name).display(), file.n_samples));
        }
        voice.say(&format!("{}: digests of all files", self.out.join(MANIFEST).display()));
        Ok(())
    }
}
