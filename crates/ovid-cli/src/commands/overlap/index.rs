//! `ovid overlap index`: a training corpus to an index.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ovid_overlap::{Build, Split};

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Index a training corpus: every n-gram with its places, and a filter in front
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid overlap index corpus/ --split train -o corpus.index\n  ovid overlap index --ngram 13 --memory 16GiB web-*.jsonl.zst -o web.index"
)]
pub struct Index {
    /// Files and folders: JSON Lines with `text`, or plain text, a file a document; .gz and .zst too
    #[arg(required = true, value_name = "TRAIN")]
    train: Vec<PathBuf>,
    /// Where the index goes
    #[arg(long, short, value_name = "INDEX")]
    output: PathBuf,
    /// Words in an n-gram
    #[arg(long, short = 'n', value_name = "N", default_value_t = 8)]
    ngram: u32,
    /// Index every document, or only those that are trained on or held out by the rule of `ovid tokenize shard`
    #[arg(long, value_enum, default_value = "all")]
    split: Part,
    /// What the filter's rate of false positives may not exceed
    #[arg(long, value_name = "RATE", default_value_t = 1e-8)]
    false_positive_rate: f64,
    /// Memory to use; what does not fit goes to temporary files beside the index
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = bytes)]
    memory: usize,
    /// Name, count and leave out files that cannot be read, instead of stopping
    #[arg(long)]
    keep_going: bool,
    /// Threads [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    threads: Option<std::num::NonZeroUsize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    All,
    Train,
    Validation,
}

impl Index {
    /// Writes the index, and says what is in it.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let build = Build {
            n: self.ngram,
            false_positive_rate: self.false_positive_rate,
            memory_bytes: self.memory,
            threads: self.threads.map_or_else(crate::machine::physical_cores, usize::from),
            keep_going: self.keep_going,
            ..Build::default()
        };
        let split = match self.split {
            Part::All => Split::All,
            Part::Train => Split::Train,
            Part::Validation => Split::Validation,
        };
        let built = build.write(&self.train, split, &self.output, &bar)?;
        bar.clear();
        if voice.json {
            return output::object(&built);
        }
        let count = output::human_count;
        let size = output::human_bytes;
        let n = built.n;
        output::text(&format!(
            "{}: {} documents, {} words, {} {n}-grams, {} different ones\n",
            built.path,
            count(built.index.n_documents),
            count(built.index.n_words),
            count(built.index.n_grams),
            count(built.index.distinct)
        ))?;
        output::text(&format!(
            "filter: {}, {} bits looked at, false positives at a rate of {:.2e}\nexact index: {}; together {:.1} bytes for each different {n}-gram\n",
            size(built.filter_bytes),
            built.n_probes,
            built.index.false_positive_rate,
            size(built.exact_bytes),
            built.bytes_per_distinct
        ))?;
        match built.left_out.len() {
            0 => Ok(()),
            n => output::line(&format!("left out: {n} files that could not be read")),
        }
    }
}

/// A number of bytes: 4GiB, 500MB, 1000000.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        other => return Err(format!("'{other}' is no unit; take MiB or GiB")),
    };
    let number: f64 = digits.trim().parse().map_err(|_| "it is not a number with a unit, such as 4GiB".to_owned())?;
    let n = number * unit as f64;
    if n.is_finite() && (0.0..1e18).contains(&n) { Ok(n as usize) } else { Err("it is not an amount of memory".to_owned()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, want) in
            [("4GiB", Some(4 << 30)), ("1.5k", Some(1536)), ("20MB", Some(20_000_000)), ("0", Some(0)), ("4 apples", None), ("-1", None)]
        {
            assert_eq!(super::bytes(text).ok(), want, "{text}");
        }
    }
}
