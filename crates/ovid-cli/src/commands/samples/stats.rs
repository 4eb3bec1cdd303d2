//! `ovid samples stats`: what samples are like, by how they were drawn.

use std::path::PathBuf;

use clap::Args;
use ovid_samples::stats::{self, StatsReport};

use super::SideBySide;
use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Tries per prompt, length, repetition, diversity, self-BLEU and perplexity, by sampler
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid samples stats dump --model gpt2 --figure dump-stats\n  ovid samples stats tries.db --human webtext.jsonl"
)]
pub struct Stats {
    /// A ledger, or a dump's folder
    #[arg(value_name = "LEDGER|DIR")]
    source: PathBuf,
    /// Measure human texts beside them; may be given again
    #[arg(long, value_name = "FILE")]
    human: Vec<PathBuf>,
    /// Write figures: STEM-distinct and STEM-perplexity, as SVG and CSV
    #[arg(long, value_name = "STEM")]
    figure: Option<PathBuf>,
    #[command(flatten)]
    choice: ModelChoice,
    #[command(flatten)]
    machine: Machine,
}

/// Prompts listed.
const MOST_PROMPTS: usize = 10;

impl Stats {
    /// Prints the table.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let human = super::texts(&self.human)?;
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let side = SideBySide { batch: std::num::NonZeroUsize::MIN };
        let report = stats::stats(&self.source, &human, &side.of(&loaded, &bar), &loaded.origin()?.model.name);
        bar.clear();
        let report = report?;
        if let Some(stem) = &self.figure {
            report.write_figures(stem)?.iter().for_each(|name| voice.say(name));
        }
        if voice.json { output::object(&report) } else { show(&report) }
    }
}

fn show(report: &StatsReport) -> Result<(), Failure> {
    output::line("samples  tokens   words  dist-1  dist-2  dist-3  dist-4   rep-4  self-BLEU  perplexity  sampler")?;
    for s in &report.samplers {
        let [d1, d2, d3, d4] = s.distinct;
        let number = |n: Option<f64>, digits: usize| n.map_or("-".to_owned(), |n| format!("{n:.digits$}"));
        output::line(&format!(
            "{:>7} {:>7.1} {:>7.1} {d1:>7.3} {d2:>7.3} {d3:>7.3} {d4:>7.3} {:>7.3} {:>10} {:>11}  {}",
            s.n_samples,
            s.mean_tokens,
            s.mean_words,
            s.repeated_4,
            number(s.self_bleu, 3),
            number(s.perplexity, 2),
            s.sampler
        ))?;
    }
    if !report.tries.is_empty() {
        output::line("")?;
        output::line("tries  whole  cut short  prompt")?;
    }
    for t in report.tries.iter().take(MOST_PROMPTS) {
        let prompt: String = t.prompt.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
        output::line(&format!("{:>5} {:>6} {:>10}  {prompt:?}", t.tries, t.completed, t.tries - t.completed))?;
    }
    let n_more = report.tries.len().saturating_sub(MOST_PROMPTS);
    if n_more > 0 { output::line(&format!("and {n_more} more prompts")) } else { Ok(()) }
}
