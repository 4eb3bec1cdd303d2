//! `ovid overlap table`: how much of test sets stands in training sets, as Table 6 of the paper lays it out.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_overlap::{Ask, Index, Measured, Set, TableRow, clean, measure};

use super::{Reading, percent};
use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;
use crate::{interrupt, models};

/// Say how much of each test set stands in each training set, and write test sets without it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid overlap table --index web.index --index ptb.index ptb=ptb.test.txt lambada=lambada.jsonl\n  ovid overlap table --index web.index lambada.jsonl --clean lambada.clean.jsonl --score --model gpt2"
)]
pub struct Table {
    /// An index that `ovid overlap index` wrote; may be given again
    #[arg(long, value_name = "INDEX", required = true)]
    index: Vec<PathBuf>,
    /// Test sets: files or folders, each a set, with a name where wanted
    #[arg(required = true, value_name = "[NAME=]FILE")]
    sets: Vec<String>,
    /// Write the documents of the one set that have no overlap with the one index
    #[arg(long, value_name = "FILE")]
    clean: Option<PathBuf>,
    /// With --clean: how many of a hundred of a document's n-grams may stand in the index
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, requires = "clean")]
    most_percent: f64,
    /// With --clean: score the set with a model, as it is and clean
    #[arg(long, requires = "clean")]
    score: bool,
    #[command(flatten)]
    choice: ModelChoice,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    machine: Machine,
}

impl Table {
    /// Prints a row an index and a column a set.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        if self.clean.is_some() && (self.index.len(), self.sets.len()) != (1, 1) {
            return Err(Failure::input("--clean takes one index and one set"));
        }
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let sets: Vec<Set> = self.sets.iter().map(|given| self.reading.set(given)).collect();
        let ask = Ask { distinct: true, threads: self.machine.threads(), ..Ask::default() };
        let mut rows = Vec::new();
        for path in &self.index {
            let index = Index::open(path)?;
            for set in &sets {
                let measured = measure(&index, set, ask, &bar)?;
                let row = TableRow::new(&index, &set.name, &measured);
                if voice.json {
                    output::object(&row)?;
                }
                rows.push(row);
                if let Some(out) = &self.clean {
                    if !voice.json {
                        output::text(&rendered(&rows))?;
                    }
                    return self.clean(set, &measured, out, &bar, voice);
                }
            }
        }
        bar.clear();
        if voice.json { Ok(()) } else { output::text(&rendered(&rows)) }
    }

    fn clean(&self, set: &Set, measured: &Measured, out: &std::path::Path, bar: &Bar, voice: Voice) -> Result<(), Failure> {
        let cleaned = clean(set, measured, self.most_percent, out)?;
        if voice.json {
            output::object(&cleaned)?;
        } else {
            output::line(&format!("{}: {} documents kept, {} dropped", cleaned.out, cleaned.n_kept, cleaned.n_dropped))?;
        }
        if !self.score {
            return Ok(());
        }
        let loaded = models::load(&self.choice, &self.machine, bar)?;
        let mut documents = Vec::new();
        for (document, found) in set.documents()?.zip(&measured.documents) {
            let document = document?;
            if !found.overlap_percent.is_some_and(|p| p > self.most_percent) {
                documents.push(("clean".to_owned(), document.text.clone()));
            }
            documents.push(("whole".to_owned(), document.text));
        }
        let scores = ovid_eval::bits_by_style(&loaded.model, &loaded.tokenizer, &documents, bar)?;
        bar.clear();
        if voice.json {
            return output::object(&scores);
        }
        for (name, score) in scores.iter().rev() {
            let perplexity = (score.loss_nats / score.n_tokens.max(1) as f64).exp();
            output::line(&format!(
                "{name}: {} documents, perplexity {perplexity:.4}, {:.4} bits per byte",
                score.n_documents, score.bits_per_byte
            ))?;
        }
        Ok(())
    }
}

/// Rows are training sets, columns test sets, as in the paper.
fn rendered(rows: &[TableRow]) -> String {
    let mut text = String::new();
    let indexes: Vec<&str> = distinct(rows.iter().map(|r| r.index.as_str()));
    let sets: Vec<&str> = distinct(rows.iter().map(|r| r.set.as_str()));
    let first = indexes.iter().map(|i| i.chars().count()).max().unwrap_or(0).max(5);
    let widths: Vec<usize> = sets.iter().map(|s| s.chars().count().max(7)).collect();
    let _ = write!(text, "{:first$}", "% of");
    for (set, width) in sets.iter().zip(&widths) {
        let _ = write!(text, "  {set:>width$}");
    }
    text.push('\n');
    for index in indexes {
        let _ = write!(text, "{index:first$}");
        for (set, width) in sets.iter().zip(&widths) {
            let found = rows.iter().find(|r| r.index == index && r.set == *set).and_then(|r| r.overlap_percent);
            let _ = write!(text, "  {:>width$}", percent(found));
        }
        text.push('\n');
    }
    text
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
