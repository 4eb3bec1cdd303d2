//! `ovid samples trace`: was this text generated here?

use std::path::PathBuf;

use clap::Args;
use ovid_samples::Ledger;
use ovid_samples::trace::{self, TraceReport, Tracer};

use crate::failure::Failure;
use crate::input::{self, LastNewline};
use crate::interrupt;
use crate::output::{self, Voice, human_count};
use crate::progress::Bar;

/// Look a text up: was it, a part of it or an edited copy, generated here?
///
/// Exit status 1 where the answer is no. Calibrated with human texts that were not generated here, it says how often such a text overlaps as much.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid samples trace --ledger tries.db \"the text that somebody showed me\"\n  ovid samples trace --ledger tries.db --file page.txt --json\n  ovid samples trace --ledger tries.db --calibrate human.jsonl"
)]
pub struct Trace {
    /// The text; without it and without --file, standard input
    text: Option<String>,
    /// Look up the texts of these files: plain text, or JSON Lines with `text`
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Vec<PathBuf>,
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// Matches to list
    #[arg(long, value_name = "N", default_value = "3")]
    top: usize,
    /// The answer is yes from this false-match rate down, where the ledger is calibrated
    #[arg(long, value_name = "P", default_value = "0.01")]
    max_false_match: f64,
    /// Instead of a look-up: measure how much these human texts, which were not generated here, overlap with the ledger
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "file"])]
    calibrate: Vec<PathBuf>,
}

impl Trace {
    /// Prints what was found.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let ledger = Ledger::open_to_read(&self.ledger)?;
        if !self.calibrate.is_empty() {
            let calibration = trace::calibrate(&ledger, &super::texts(&self.calibrate)?, &bar);
            bar.clear();
            let calibration = calibration?;
            if voice.json {
                return output::object(&calibration);
            }
            for class in &calibration.classes {
                let greatest = class.overlaps.last().copied().unwrap_or_default();
                output::line(&format!(
                    "{:>4} words: {} human texts, greatest overlap {greatest:.3}",
                    class.n_words,
                    human_count(class.overlaps.len() as u64)
                ))?;
            }
            return Ok(());
        }
        let tracer = Tracer::open(&ledger, &bar);
        bar.clear();
        let tracer = tracer?;
        tracer.remark().iter().for_each(|remark| voice.say(remark));
        let mut all_found = true;
        for text in input::texts(self.text.into_iter().collect(), &self.file, LastNewline::Cut)? {
            let report = tracer.look_up(&String::from_utf8_lossy(&text?), self.top, self.max_false_match)?;
            all_found &= report.found;
            if voice.json { output::object(&report)? } else { show(&report)? }
        }
        if all_found { Ok(()) } else { Err(Failure::No) }
    }
}

fn show(report: &TraceReport) -> Result<(), Failure> {
    let verdict = if report.found { "generated here" } else { "not found here" };
    let texts = human_count(report.n_texts);
    output::line(&format!("{verdict} ({}; {} words looked up in {texts} texts)", report.rule, report.n_words))?;
    if report.may_miss {
        output::line("a text of fewer than 12 words can be missed")?;
    }
    for m in &report.matches {
        let rate = m.false_match_rate.map_or("not calibrated".to_owned(), |r| format!("false-match rate {r:.4}"));
        let how = if m.exact { "word for word" } else { "in part or edited" };
        output::line(&format!(
            "sample {}: overlap {:.3}, longest run {} words, {how}, {rate}; {}, seed {}",
            m.sample, m.overlap, m.longest_run, m.model, m.seed
        ))?;
        let text: String = m.text.split_whitespace().take(16).collect::<Vec<_>>().join(" ");
        output::line(&format!("    {text}..."))?;
    }
    Ok(())
}
