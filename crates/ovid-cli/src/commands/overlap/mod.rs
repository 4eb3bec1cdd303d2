//! `ovid overlap`: what of a text stands in the training corpus.

mod index;
mod recite;
mod report;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ovid_overlap::{Read, Set};

use crate::failure::Failure;
use crate::output::Voice;

/// Ask what was memorised: index a training corpus, hold samples and test sets against it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ovid overlap index corpus/ --split train -o corpus.index\n  ovid overlap report --index corpus.index --real held-out.jsonl --samples samples.jsonl -o report"
)]
pub struct Overlap {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Index(index::Index),
    Report(Box<report::Report>),
    Table(Box<table::Table>),
    Recite(Box<recite::Recite>),
}

impl Overlap {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Index(command) => command.run(voice),
            What::Report(command) => command.run(voice),
            What::Table(command) => command.run(voice),
            What::Recite(command) => command.run(voice),
        }
    }
}

/// How the files of sets are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reading")]
struct Reading {
    /// Take a JSON line's text from this field; may be given again [default: text, or all strings where there is none]
    #[arg(long, value_name = "NAME")]
    field: Vec<String>,
    /// Take each line of a text file as a document
    #[arg(long)]
    by_line: bool,
}

impl Reading {
    fn read(&self) -> Read {
        Read { fields: self.field.clone(), by_line: self.by_line, ..Read::default() }
    }

    /// A set as it is named on the command line: NAME=PATH, or PATH, whose name without extensions it then bears.
    fn set(&self, given: &str) -> Set {
        let (name, path) = match given.split_once('=') {
            Some((name, path)) if !name.contains('/') && !Path::new(given).exists() => (name.to_owned(), path),
            _ => (stem(given), given),
        };
        Set::new(name, vec![PathBuf::from(path)], self.read())
    }
}

fn stem(path: &str) -> String {
    let name = Path::new(path).file_name().map_or(path.into(), |n| n.to_string_lossy());
    let name = name.strip_suffix(".zst").or(name.strip_suffix(".gz")).unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem }).to_owned()
}

/// A share of a hundred for people.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |p| format!("{p:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_named_by_the_user_or_by_its_file() {
        let reading = Reading { field: Vec::new(), by_line: false };
        let check = |given: &str, name: &str, path: &str| {
            let set = reading.set(given);
            assert_eq!((set.name.as_str(), set.paths[0].to_str()), (name, Some(path)), "{given}");
        };
        check("ptb=data/ptb.valid.txt", "ptb", "data/ptb.valid.txt");
        check("data/wmt14.en-fr.jsonl.zst", "wmt14.en-fr", "data/wmt14.en-fr.jsonl.zst");
        check("a=b/c=d.txt", "a", "b/c=d.txt");
        check("folder/x=y.txt", "x=y", "folder/x=y.txt");
    }
}
