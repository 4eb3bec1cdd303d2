//! `ovid detect matrix`: who finds whom.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_detect::trained::{Kind, Matrix, matrix};

use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Print the transfer table of trained detectors: trained on each set of machine text, tested on each
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid detect matrix --human human.jsonl xl=gpt2-xl.jsonl neo=gpt-neo.jsonl")]
pub struct TransferTable {
    /// Sets of machine text: a name and a file or folder
    #[arg(value_name = "NAME=PATH", required = true, value_parser = named)]
    sets: Vec<(String, PathBuf)>,
    /// A file or folder of human texts; may be given again
    #[arg(long, value_name = "PATH", required = true)]
    human: Vec<PathBuf>,
    /// Cut every text to this many words, and leave shorter ones out
    #[arg(long, value_name = "N", default_value_t = 40)]
    words: usize,
    /// Which detector: hashed n-grams, or the output dataset's TF-IDF
    #[arg(long, value_name = "hashed|tfidf", default_value = "hashed", value_parser = kind)]
    kind: Kind,
    /// Seed of the split
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    text.split_once('=').map(|(name, path)| (name.to_owned(), path.into())).ok_or_else(|| "a set is given as NAME=PATH".to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "hashed" => Ok(Kind::Hashed),
        "tfidf" => Ok(Kind::TfIdf),
        _ => Err("the detectors are hashed and tfidf".to_owned()),
    }
}

impl TransferTable {
    /// Prints the table.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        let bar = Bar::new(voice);
        let sets: Vec<(String, Vec<PathBuf>)> = self.sets.into_iter().map(|(name, path)| (name, vec![path])).collect();
        let table = matrix(self.kind, &self.human, &sets, self.words, self.seed, &bar)?;
        bar.clear();
        if voice.json { output::object(&table) } else { output::text(&rendered(&table)) }
    }
}

fn rendered(table: &Matrix) -> String {
    let mut text = format!("| trained on | {} |\n| --- |{}\n", table.names.join(" | "), " --- |".repeat(table.names.len()));
    for (name, row) in table.names.iter().zip(&table.auroc) {
        let cells: Vec<String> = row.iter().map(|x| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}"))).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    let _ = writeln!(
        text,
        "\nAUROC; {} words a text; {} human texts trained on, {} tested on",
        table.n_words, table.n_human[0], table.n_human[1]
    );
    text
}
