//! `ovid detect train`: a detector that learns from labelled text.

use std::path::PathBuf;

use clap::Args;
use ovid_detect::trained::{is_test, train};
use ovid_detect::{Text, texts};

use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Train a detector of hashed word and character n-grams on human and machine texts
///
/// A quarter of the groups (`id` in JSON Lines) is left out and tested on. Texts are read as a stream, and the same files give the same detector.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid detect train --human human.jsonl --machine-texts machine.jsonl --out mine.safetensors")]
pub struct Train {
    /// Files and folders of human texts
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    human: Vec<PathBuf>,
    /// Files and folders of machine texts
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    machine_texts: Vec<PathBuf>,
    /// Where the detector goes
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Passes over the texts
    #[arg(long, value_name = "N", default_value_t = 3)]
    passes: usize,
    /// Seed of the split
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Train {
    /// Writes the detector and prints what it finds among the texts that it was not trained on.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        let bar = Bar::new(voice);
        let detector = train(&self.human, &self.machine_texts, self.passes, &|text: &Text| !is_test(&text.group, self.seed), &bar)?;
        let scores = |paths: &[PathBuf]| -> Result<Vec<f64>, Failure> {
            let mut scores = Vec::new();
            for text in texts::read(paths)? {
                let text = text?;
                if is_test(&text.group, self.seed) {
                    scores.push(detector.score(&text.text));
                }
            }
            Ok(scores)
        };
        let (human, machine) = (scores(&self.human)?, scores(&self.machine_texts)?);
        detector.write(&self.out, &format!("{} and {}", names(&self.human), names(&self.machine_texts)))?;
        bar.clear();
        let auroc = ovid_stats::auroc(&human, &machine);
        let tpr = ovid_stats::tpr_at_fpr(&human, &machine, 0.01).filter(|_| human.len() >= 300);
        if voice.json {
            return output::object(
                &serde_json::json!({ "out": self.out, "n_human_tested": human.len(), "n_machine_tested": machine.len(), "auroc": auroc, "tpr_at_1_percent": tpr }),
            );
        }
        let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
        output::line(&format!(
            "{}: AUROC {}, TPR at FPR 1% {} on {} human and {} machine texts left out of training",
            self.out.display(),
            number(auroc),
            number(tpr),
            human.len(),
            machine.len()
        ))
    }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}
