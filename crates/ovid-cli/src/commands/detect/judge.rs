//! `ovid detect FILE...`: one verdict a document.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_detect::{Detection, Error, Rule, Text, Verdict, gltr, texts};
use ovid_io::atomic::write_atomic;

use super::common::{RuleFlags, ScoringFlags};
use crate::failure::Failure;
use crate::input;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// The texts to judge, and how.
#[derive(Debug, Args)]
pub struct Judge {
    /// Files and folders: plain text, or JSON Lines with `text`; .gz and .zst too; without any, standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    scoring: ScoringFlags,
    #[command(flatten)]
    rule: RuleFlags,
    /// P(machine) before the text is read
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    prior: f64,
    /// Show each token with its rank, as GLTR does
    #[arg(long)]
    tokens: bool,
    /// Write GLTR's view of all documents as a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Read no more tokens of a document than this
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_tokens: usize,
}

impl Judge {
    /// Prints one object or paragraph a document.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        if !(self.prior > 0.0 && self.prior < 1.0) {
            return Err(Failure::input(format!("--prior is {}, but must be between 0 and 1", self.prior)));
        }
        let bar = Bar::new(voice);
        let models = self.scoring.load(&bar)?;
        let scoring = models.scoring()?;
        let calibration = self.rule.calibration(&scoring)?;
        if calibration.is_none() {
            voice.say(&format!(
                "no calibration for the model '{}': statistics alone, no verdict (ovid detect calibrate makes one)",
                scoring.name.name
            ));
        }
        let rule =
            Rule { calibration: calibration.as_ref().map(|(c, sha256)| (c, sha256.as_str())), fpr: self.rule.fpr, prior: self.prior };
        let mut page = String::new();
        let mut refused = None;
        let outcome = ovid_detect::score(&scoring, self.texts()?, self.max_tokens, &bar, |scored| {
            let detection = rule.judge(&scored);
            if self.html.is_some() {
                page.push_str(&gltr::section(&scored, &detection));
            }
            let shown =
                if voice.json { output::object(&detection) } else { self.show(&scored, &detection, calibration.as_ref().map(|(c, _)| c)) };
            shown.map_err(|failure| {
                refused = Some(failure);
                Error::Cancelled
            })
        });
        if let Some(failure) = refused {
            return Err(failure);
        }
        outcome?;
        if let Some(path) = &self.html {
            write_atomic(path, |file| file.write_all(gltr::page(&page).as_bytes()))?;
        }
        Ok(())
    }

    fn texts(&self) -> Result<Box<dyn Iterator<Item = Result<Text, Error>>>, Failure> {
        if !self.files.is_empty() {
            return Ok(Box::new(texts::read(&self.files)?));
        }
        let text = String::from_utf8(input::stdin()?).map_err(|e| {
            Failure::input(format!("standard input: byte {} is not UTF-8", e.utf8_error().valid_up_to())).hint("detect reads text in UTF-8")
        })?;
        Ok(Box::new(std::iter::once(Ok(Text::new(text)))))
    }

    fn show(
        &self,
        scored: &ovid_detect::ScoredText,
        detection: &Detection,
        calibration: Option<&ovid_detect::Calibration>,
    ) -> Result<(), Failure> {
        let mut text = String::new();
        let place = match (&detection.file, detection.line) {
            (Some(file), Some(line)) if file.contains(".jsonl") || file.contains(".ndjson") => format!("{file}:{line}: "),
            (Some(file), _) => format!("{file}: "),
            (None, _) => String::new(),
        };
        if self.tokens {
            text.push_str(&gltr::terminal(scored, output::colours()));
        }
        let _ = writeln!(text, "{place}{}", words(detection));
        let statistics: Vec<String> = detection.statistics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        if !statistics.is_empty() {
            let _ = writeln!(text, "  {}", statistics.join(", "));
        }
        if let (Some(calibration), true) = (calibration, detection.probability.is_some()) {
            let _ = writeln!(
                text,
                "  machine text here means: {}; human text: {}; both as scored by {}",
                calibration.machine, calibration.human, calibration.model.name
            );
        }
        output::text(&text)
    }
}

/// The verdict in a sentence.
fn words(d: &Detection) -> String {
    let n = output::human_count(d.n_tokens as u64);
    let rate = d.fpr * 100.0;
    let verdict = match d.verdict {
        Verdict::Machine => "machine",
        Verdict::Human => "human",
        Verdict::Undecided => "undecided",
        Verdict::Uncalibrated => return format!("no verdict without a calibration ({n} tokens)"),
        Verdict::TooShort => {
            return match d.needed_tokens {
                Some(needed) => format!(
                    "too short to tell ({n} tokens; at a false-positive rate of {rate}% half of machine texts are found from {needed} tokens on)"
                ),
                None => format!("too short to tell ({n} tokens; at a false-positive rate of {rate}% no calibrated length is enough)"),
            };
        }
    };
    let (Some(probability), Some(interval), Some(p), Some(judged)) = (d.probability, d.interval, d.p_value, d.judged_tokens) else {
        return verdict.to_owned();
    };
    format!(
        "{verdict} at a false-positive rate of {rate}% (first {judged} of {n}{} tokens; P(machine) {probability:.3} [{:.3}, {:.3}] from a prior of {}; {:.2}% of human texts score so high)",
        if d.is_cut { "+" } else { "" },
        interval.low,
        interval.high,
        d.prior,
        p * 100.0
    )
}
