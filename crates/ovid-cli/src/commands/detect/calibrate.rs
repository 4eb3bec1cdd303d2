//! `ovid detect calibrate`: what a verdict is measured against.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_bpe::Tokenizer;
use ovid_detect::Plan;
use ovid_io::atomic::write_atomic;

use super::common::ScoringFlags;
use crate::failure::Failure;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Make a calibration from human and machine texts, and report how well they are told apart
///
/// Texts are JSON Lines with `text`, and where known `id` (what must not be on both sides of a split: the source document, or that of the prompt), `domain` and
/// `sampler` (`source` stands for both), or plain text.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ovid detect calibrate --human human.jsonl --machine-texts samples.jsonl --gpt2-tokenizer gpt2 --out mine.json --report report"
)]
pub struct Calibrate {
    /// Files and folders of human texts
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    human: Vec<PathBuf>,
    /// Files and folders of machine texts
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    machine_texts: Vec<PathBuf>,
    /// Where the calibration goes
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the report as STEM.json, STEM.csv, STEM.md and STEM.svg
    #[arg(long, value_name = "STEM")]
    report: Option<PathBuf>,
    /// What the machine's texts are called in reports [default: the scoring model]
    #[arg(long, value_name = "WORDS")]
    machine_name: Option<String>,
    /// What the human texts are called in reports
    #[arg(long, value_name = "WORDS", default_value = "human")]
    human_name: String,
    /// GPT-2's tokenizer, in whose tokens lengths are counted [default: the model's own]
    #[arg(long, value_name = "PATH")]
    gpt2_tokenizer: Option<PathBuf>,
    /// Seed of the split and of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Resamples of source documents for each interval
    #[arg(long, value_name = "N", default_value_t = 400)]
    resamples: usize,
    #[command(flatten)]
    scoring: ScoringFlags,
}

impl Calibrate {
    /// Writes the calibration and prints the report.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        let bar = Bar::new(voice);
        let models = self.scoring.load(&bar)?;
        let gpt2 = self
            .gpt2_tokenizer
            .as_ref()
            .map(|path| Ok::<_, Failure>(Tokenizer::load(&models::locate(&path.to_string_lossy())?)?))
            .transpose()?;
        let plan = Plan {
            human: &self.human,
            machine: &self.machine_texts,
            machine_name: self.machine_name,
            human_name: self.human_name,
            gpt2: gpt2.as_ref(),
            seed: self.seed,
            n_resamples: self.resamples,
        };
        let made = plan.run(&models.scoring()?, &bar)?;
        bar.clear();
        if let Some(out) = &self.out {
            write_atomic(out, |file| file.write_all(&made.json))?;
        }
        if let Some(stem) = &self.report {
            made.report.chart().write(stem).map_err(ovid_detect::Error::from)?;
            let json = serde_json::to_vec_pretty(&made.report).map_err(|e| Failure::input(e.to_string()))?;
            for (extension, bytes) in [("json", json), ("csv", made.report.csv().into_bytes()), ("md", made.report.markdown().into_bytes())]
            {
                let mut path = stem.as_os_str().to_owned();
                path.push(".");
                path.push(extension);
                write_atomic(path.as_ref(), |file| file.write_all(&bytes))?;
            }
        }
        if voice.json { output::object(&made.report) } else { output::text(&made.report.markdown()) }
    }
}
