//! `ovid detect campaign`: how much of many documents is machine text.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_detect::campaign::{self, CampaignReport, Entry, Kind, Member, Options, Power};
use ovid_detect::texts;

use super::common::{RuleFlags, ScoringFlags};
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Judge many documents together: the fraction of machine text, and which sources stand out
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid detect campaign reviews.jsonl --by account\n  ovid detect campaign --power")]
pub struct Campaign {
    /// Files and folders of documents
    #[arg(value_name = "FILE", required_unless_present = "power")]
    files: Vec<PathBuf>,
    /// Test each value of this field of the JSON objects apart, with false discoveries controlled
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
    /// The error of the sequential test
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    level: f64,
    /// The false-discovery rate over the values of --by
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    fdr: f64,
    /// Resamples of the calibration for the interval
    #[arg(long, value_name = "N", default_value_t = 300)]
    resamples: usize,
    /// Seed of resampling and of ties
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Say instead how many documents it takes to find 1%, 5% and 20% machine text
    #[arg(long, conflicts_with = "files")]
    power: bool,
    #[command(flatten)]
    scoring: ScoringFlags,
    #[command(flatten)]
    rule: RuleFlags,
}

/// Simulated campaigns a cell of the power table, and where they end.
const N_CAMPAIGNS: usize = 200;
const MOST: usize = 5000;

impl Campaign {
    /// Prints the report.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        for (name, rate) in [("level", self.level), ("fdr", self.fdr)] {
            if !(rate > 0.0 && rate < 1.0) {
                return Err(Failure::input(format!("--{name} is {rate}, but must be between 0 and 1")));
            }
        }
        let bar = Bar::new(voice);
        let models = self.scoring.load(&bar)?;
        let scoring = models.scoring()?;
        let Some((calibration, sha256)) = self.rule.calibration(&scoring)? else {
            return Err(Failure::input(format!("there is no calibration for the model '{}'", scoring.name.name))
                .hint("make one with: ovid detect calibrate"));
        };
        if self.power {
            let lengths = calibration.lengths.iter().filter(|l| [25, 50, 100].contains(&l.gpt2_tokens));
            let table: Vec<Power> =
                lengths.flat_map(|l| [0.01, 0.05, 0.2].map(|f| campaign::power(l, f, self.level, N_CAMPAIGNS, MOST, self.seed))).collect();
            return if voice.json { output::object(&table) } else { output::text(&power_table(&table, self.level)) };
        }
        let longest = calibration.lengths.last().map_or(0, |l| l.n_tokens);
        let mut entries = Vec::new();
        ovid_detect::score(&scoring, texts::read(&self.files)?, longest, &bar, |scored| {
            let member = Member::new(&calibration, &scored);
            let text = scored.text;
            let name = format!("{}:{}", text.file.as_deref().unwrap_or("standard input"), text.line.unwrap_or(1));
            let group = self.by.as_ref().and_then(|field| text.fields.get(field).cloned());
            entries.push(Entry { member, text: text.text, name, group });
            Ok(())
        })?;
        if let Some(field) = self.by.as_ref().filter(|_| !entries.is_empty() && entries.iter().all(|e| e.group.is_none())) {
            return Err(Failure::input(format!("no document has a field '{field}'")).hint("--by takes a field of the JSON objects"));
        }
        let options = Options { level: self.level, false_discovery_rate: self.fdr, n_resamples: self.resamples.max(20), seed: self.seed };
        let report = campaign::judge(&calibration, &sha256, &entries, &options);
        bar.clear();
        if voice.json { output::object(&report) } else { output::text(&rendered(&report)) }
    }
}

fn rendered(r: &CampaignReport) -> String {
    let mut text = String::new();
    for u in &r.unlike {
        let _ = writeln!(
            text,
            "warning: unlike the calibration's texts in {} at {} GPT-2 tokens (median {:.3}, there {:.3}): no error rate below holds",
            u.name, u.gpt2_tokens, u.median, u.calibrated
        );
    }
    let _ = writeln!(
        text,
        "{} documents, {} long enough to be judged",
        output::human_count(r.n_documents as u64),
        output::human_count(r.n_judged as u64)
    );
    if let (Some(fraction), Some(interval)) = (r.fraction, r.interval) {
        let _ = writeln!(
            text,
            "machine text: {:.1}% of them, 95% interval {:.1}% to {:.1}%",
            100.0 * fraction,
            100.0 * interval.low,
            100.0 * interval.high
        );
    } else {
        let _ = writeln!(text, "machine text: nothing can be said");
    }
    let s = r.sequential;
    let _ = match s.found_after {
        Some(n) => writeln!(text, "\"all human\" rejected after {n} documents, error {} at any time (e-value {:.3})", s.level, s.e_value),
        None => writeln!(text, "\"all human\" not rejected, error {} at any time (e-value {:.3}, p {:.3})", s.level, s.e_value, s.p_value),
    };
    if !r.groups.is_empty() {
        let found = r.groups.iter().filter(|g| g.found).count();
        let _ = writeln!(text, "{found} of {} sources stand out at a false-discovery rate of {}", r.groups.len(), r.false_discovery_rate);
        for group in r.groups.iter().take(20) {
            let _ = writeln!(
                text,
                "  {} {} ({} documents, e-value {:.3})",
                if group.found { "found " } else { "      " },
                group.name,
                group.n_judged,
                group.e_value
            );
        }
    }
    for cluster in &r.clusters {
        let kind = if cluster.kind == Kind::Template { "one template" } else { "near-duplicates" };
        let more = cluster.members.len().saturating_sub(8);
        let shown = cluster.members.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "{} {kind}: {shown}{}",
            cluster.members.len(),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        );
        let _ = writeln!(text, "  {:?}", cluster.begins);
    }
    text
}

fn power_table(table: &[Power], level: f64) -> String {
    let mut text = format!(
        "documents until 80% of campaigns are found, error {level} at any time\n\n| GPT-2 tokens | 1% machine | 5% machine | 20% machine |\n| --- | --- | --- | --- |\n"
    );
    for row in table.chunks(3) {
        let cell = |p: &Power| {
            p.n_documents.map_or_else(|| format!("more than {}", output::human_count(p.most as u64)), |n| output::human_count(n as u64))
        };
        let _ = writeln!(text, "| {} | {} |", row[0].gpt2_tokens, row.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    text
}
