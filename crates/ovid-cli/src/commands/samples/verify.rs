//! `ovid samples verify`: is this what the model makes?

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ovid_samples::verify::{self, Part, VerifyReport};

use super::SideBySide;
use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Make samples again and compare them with what was published, to the bit
///
/// Takes a dump's folder, or JSON Lines as `ovid generate --json` and `ovid samples publish` write them. The published texts are not read until the samples are made again.
/// Exit status 1 where any differs.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid samples verify dump --model gpt2\n  ovid samples verify shown.json --model gpt2\n  ovid samples verify dump --part 20 --seed 3"
)]
pub struct Verify {
    /// What was published
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    #[command(flatten)]
    choice: ModelChoice,
    /// Only so many of the samples, chosen by --seed
    #[arg(long, value_name = "N")]
    part: Option<u32>,
    /// What chooses them
    #[arg(long, value_name = "N", default_value = "0", help_heading = "Common options")]
    seed: u64,
    /// The key of the samples' watermark, where they bear one
    #[arg(long, value_name = "KEYFILE")]
    watermark: Option<PathBuf>,
    #[command(flatten)]
    side: SideBySide,
    #[command(flatten)]
    machine: Machine,
}

impl Verify {
    /// Prints what was found.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let part = self.part.map_or(Part::All, |n_samples| Part::Random { n_samples, seed: self.seed });
        let key = self.watermark.as_deref().map(ovid_watermark::Key::read).transpose()?.map(Arc::new);
        let report = verify::verify(&self.source, &self.side.of(&loaded, &bar), &loaded.origin()?, part, key.as_ref());
        bar.clear();
        let report = report?;
        if voice.json {
            output::object(&report)?;
        } else {
            show(&report)?;
        }
        if report.verified { Ok(()) } else { Err(Failure::No) }
    }
}

fn show(report: &VerifyReport) -> Result<(), Failure> {
    for fault in &report.faults {
        output::line(fault)?;
    }
    for r in &report.refused {
        output::line(&format!("{}, sample {}: cannot be verified: {}", r.file, r.sample, r.why))?;
    }
    for d in &report.differences {
        let at = d.at.map_or(String::new(), |at| format!(" at {} {at}", if d.field == "text" { "byte" } else { "token" }));
        output::line(&format!(
            "{}, sample {} (seed {}): {} differ{at}: published {}, made {}",
            d.file, d.sample, d.seed, d.field, d.published, d.made
        ))?;
    }
    let VerifyReport { n_samples, n_checked, n_same, .. } = report;
    let some = if n_checked < n_samples { format!(" (of {n_samples})") } else { String::new() };
    let verdict = if report.verified { "verified" } else { "not verified" };
    output::line(&format!(
        "{verdict}: {n_same} of {n_checked} samples made again{some} are the same to the bit; {} on cpu",
        report.arithmetic
    ))
}
