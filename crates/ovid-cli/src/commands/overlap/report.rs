//! `ovid overlap report`: do samples hold more of the training text than human text does?

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_io::atomic::IfExists;
use ovid_overlap::report::{self, Options, OverlapReport};
use ovid_overlap::{Index, Set};

use super::{Reading, percent};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Say how much of each document stands in the training text, for samples against human text
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid overlap report --index corpus.index --real held-out.jsonl --samples samples.jsonl -o report\n  ovid overlap report --index corpus.index --real test.jsonl --set k40=k40.jsonl --set nucleus=p95.jsonl -o report"
)]
pub struct Report {
    /// The index that `ovid overlap index` wrote
    #[arg(long, value_name = "INDEX")]
    index: PathBuf,
    /// Human text that was not trained on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    real: Vec<PathBuf>,
    /// Samples; where their lines name the model that wrote them, so does the report
    #[arg(long, value_name = "FILE", num_args = 1..)]
    samples: Vec<PathBuf>,
    /// Another set, with its name; may be given again
    #[arg(long, value_name = "NAME=FILE")]
    set: Vec<String>,
    /// The folder for the report: report.json, report.html, overlap.svg, overlap.csv, documents.csv
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
    /// Replace a report that is there already
    #[arg(long)]
    force: bool,
    /// How many documents of each set are shown with what they copied
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    /// Where training files are looked for that do not lie any more where they were indexed
    #[arg(long, value_name = "FOLDER")]
    train: Option<PathBuf>,
    /// Where the random numbers of the intervals begin
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Common options")]
    seed: u64,
    /// Threads [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    threads: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    reading: Reading,
}

impl Report {
    /// Writes the report, and shows its sums.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let mut sets = Vec::new();
        for (name, paths) in [("real", &self.real), ("samples", &self.samples)] {
            if !paths.is_empty() {
                sets.push(Set::new(name, paths.clone(), self.reading.read()));
            }
        }
        sets.extend(self.set.iter().map(|given| self.reading.set(given)));
        if sets.is_empty() {
            return Err(Failure::input("no set to report on").hint("name one with --real, --samples or --set NAME=FILE"));
        }
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let index = Index::open(&self.index)?;
        let options = Options {
            n_worst: self.worst,
            seed: self.seed,
            threads: self.threads.map_or_else(crate::machine::physical_cores, usize::from),
            train_folder: self.train,
            if_exists: if self.force { IfExists::Replace } else { IfExists::Refuse },
        };
        let written = report::write(&index, &sets, &options, &self.output, &bar);
        let report = written.map_err(|e| match e {
            e @ ovid_overlap::Error::Exists { .. } => Failure::from(e).hint("replace it with --force"),
            e => e.into(),
        })?;
        bar.clear();
        if voice.json { output::object(&report) } else { output::text(&rendered(&report)) }
    }
}

fn rendered(report: &OverlapReport) -> String {
    let mut text = String::new();
    let width = report.sets.iter().map(|s| s.name.chars().count()).max().unwrap_or(0).max(3);
    let _ =
        writeln!(text, "{:width$} {:>9} {:>8} {:>8} {:>11} {:>12}", "set", "documents", "median %", "mean %", "with none %", "longest run");
    for set in &report.sets {
        let f = &set.figures;
        let (median, mean, none) = (percent(f.median_percent), percent(f.mean_percent), percent(f.none_percent));
        let n = f.n_documents - f.n_too_short;
        let _ = writeln!(text, "{:width$} {n:>9} {median:>8} {mean:>8} {none:>11} {:>6} words", set.name, f.longest_span_words);
    }
    for c in &report.comparisons {
        let _ = writeln!(
            text,
            "{} against {}: mean {:+.2} points (95% interval {:+.2} to {:+.2}), two-sided p = {:.2e}",
            c.set, c.against, c.mean_difference, c.mean_difference_interval.low, c.mean_difference_interval.high, c.p
        );
    }
    let random = &report.random_strings;
    let _ = writeln!(text, "{} of {} random strings found by the filter", random.n_found, output::human_count(random.n_tried));
    text
}
