//! Training on files, and the table of who finds whom.

use std::path::PathBuf;

use ovid_io::{Observer, Progress};
use ovid_stats::Draws;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Hashed, HashedTrainer, TfIdf, TfIdfOptions};
use crate::{Error, Text, clean, texts};

/// Whether the texts of a group are for testing: one group in four, by its hash.
pub fn is_test(group: &str, seed: u64) -> bool {
    Draws::new(seed, 31).u64_at(xxh3_64(group.as_bytes())).is_multiple_of(4)
}

/// Trains a hashed detector on files, machine and human in turn; the side that ends first begins again, so that both weigh alike. One pass ends when both have ended.
///
/// Texts are not kept: memory does not grow with their number.
///
/// # Errors
/// If a text cannot be read, a side has no text, or the observer cancels.
pub fn train(
    human: &[PathBuf],
    machine: &[PathBuf],
    n_passes: usize,
    keep: &dyn Fn(&Text) -> bool,
    observer: &dyn Observer,
) -> Result<Hashed, Error> {
    let mut trainer = HashedTrainer::new();
    let mut n_learned = 0;
    for _ in 0..n_passes {
        let mut sides = [(human, texts::read(human)?, false), (machine, texts::read(machine)?, false)];
        while sides.iter().any(|(_, _, has_ended)| !has_ended) {
            for (side, (paths, reading, has_ended)) in sides.iter_mut().enumerate() {
                let text = loop {
                    if let Some(text) = next_kept(reading, keep)? {
                        break text;
                    } else {
                        *has_ended = true;
                        *reading = texts::read(paths)?;
                        let Some(first) = next_kept(reading, keep)? else {
                            return Err(Error::TooFew { what: if side == 1 { "machine" } else { "human" }.to_owned(), n: 0, least: 1 });
                        };
                        break first;
                    }
                };
                trainer.learn(&text.text, side == 1);
                n_learned += 1;
            }
            observer.progress(Progress { stage: "training", done: n_learned, total: None, unit: "texts" });
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
        }
    }
    Ok(trainer.finish())
}

fn next_kept(reading: &mut impl Iterator<Item = Result<Text, Error>>, keep: &dyn Fn(&Text) -> bool) -> Result<Option<Text>, Error> {
    for text in reading {
        let text = text?;
        if keep(&text) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// Which detector is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Hashed n-grams.
    Hashed,
    /// TF-IDF and logistic regression.
    TfIdf,
}

/// A trained detector of either kind.
pub enum Learned {
    /// Hashed n-grams.
    Hashed(Box<Hashed>),
    /// TF-IDF and logistic regression.
    TfIdf(TfIdf),
}

impl Learned {
    /// Trains on texts in memory.
    ///
    /// # Errors
    /// [`Error::TooFew`] where no term is in enough texts.
    pub fn train(kind: Kind, human: &[&str], machine: &[&str], seed: u64) -> Result<Self, Error> {
        let longer = human.len().max(machine.len());
        match kind {
            Kind::Hashed => {
                let mut trainer = HashedTrainer::new();
                for _ in 0..3 {
                    for i in 0..longer {
                        trainer.learn(human[i % human.len()], false);
                        trainer.learn(machine[i % machine.len()], true);
                    }
                }
                Ok(Self::Hashed(Box::new(trainer.finish())))
            }
            Kind::TfIdf => {
                let of = |texts: &[&str], machine| texts.iter().map(|t| ((*t).to_owned(), machine)).collect::<Vec<_>>();
                let min_df = if longer < 2000 { 2 } else { 5 };
                Ok(Self::TfIdf(TfIdf::train(
                    &[of(human, false), of(machine, true)].concat(),
                    &TfIdfOptions { min_df, seed, ..TfIdfOptions::default() },
                )?))
            }
        }
    }

    /// How machine-like a text is.
    pub fn score(&self, text: &str) -> f64 {
        match self {
            Self::Hashed(detector) => detector.score(text),
            Self::TfIdf(detector) => detector.score(text),
        }
    }
}

/// Trained on a row's machine texts, tested on a column's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// Which detector.
    pub kind: Kind,
    /// Names of the sets.
    pub names: Vec<String>,
    /// Area under the curve: rows trained on, columns tested on.
    pub auroc: Vec<Vec<Option<f64>>>,
    /// Words that every text was cut to; shorter ones were left out.
    pub n_words: usize,
    /// Human texts trained and tested on.
    pub n_human: [usize; 2],
    /// Machine texts of each set trained and tested on.
    pub n_machine: Vec<[usize; 2]>,
    /// Seed of the split.
    pub seed: u64,
}

/// The transfer table. All texts are cleaned and cut to `n_words` words; groups are on one side of the split alone.
///
/// # Errors
/// If a text cannot be read, or a set has too few texts of that length.
pub fn matrix(
    kind: Kind,
    human: &[PathBuf],
    sets: &[(String, Vec<PathBuf>)],
    n_words: usize,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Matrix, Error> {
    let split = |name: &str, paths: &[PathBuf]| -> Result<[Vec<String>; 2], Error> {
        let mut sides = [Vec::new(), Vec::new()];
        for text in texts::read(paths)? {
            let text = text?;
            let cleaned = clean(&text.text);
            let words: Vec<&str> = cleaned.split(' ').take(n_words).collect();
            if words.len() == n_words {
                sides[usize::from(is_test(&text.group, seed))].push(words.join(" "));
            }
        }
        let n = sides[0].len().min(sides[1].len());
        if n < 20 { Err(Error::TooFew { what: format!("'{name}' at {n_words} words"), n, least: 20 }) } else { Ok(sides) }
    };
    let human = split("human", human)?;
    let machine: Vec<[Vec<String>; 2]> = sets.iter().map(|(name, paths)| split(name, paths)).collect::<Result<_, _>>()?;
    let train_human: Vec<&str> = human[0].iter().map(String::as_str).collect();
    let mut auroc = Vec::new();
    for (i, row) in machine.iter().enumerate() {
        observer.progress(Progress { stage: "training", done: i as u64, total: Some(sets.len() as u64), unit: "sets" });
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let detector = Learned::train(kind, &train_human, &row[0].iter().map(String::as_str).collect::<Vec<_>>(), seed)?;
        let scores = |texts: &[String]| texts.iter().map(|t| detector.score(t)).collect::<Vec<f64>>();
        let human = scores(&human[1]);
        auroc.push(machine.iter().map(|column| ovid_stats::auroc(&human, &scores(&column[1]))).collect());
    }
    Ok(Matrix {
        kind,
        names: sets.iter().map(|(name, _)| name.clone()).collect(),
        auroc,
        n_words,
        n_human: [human[0].len(), human[1].len()],
        n_machine: machine.iter().map(|m| [m[0].len(), m[1].len()]).collect(),
        seed,
    })
}
