//! What the tests share: texts to files, files to an index, and a naive set to hold it against.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ovid_io::Silent;
use ovid_overlap::{Ask, Build, Built, Index, Measured, Read, Set, Split, measure};
use ovid_stats::Draws;

/// A folder with an index of these texts, each a document.
pub struct Corpus {
    pub folder: tempfile::TempDir,
    pub built: Built,
    pub index: Index,
}

pub fn json_lines(path: &Path, texts: &[impl AsRef<str>]) {
    let lines: Vec<String> = texts.iter().map(|t| serde_json::json!({ "text": t.as_ref() }).to_string() + "\n").collect();
    std::fs::write(path, lines.concat()).unwrap();
}

pub fn corpus(texts: &[impl AsRef<str>], build: &Build) -> Corpus {
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("training.jsonl");
    json_lines(&training, texts);
    let path = folder.path().join("index");
    let built = build.write(&[training], Split::All, &path, &Silent).unwrap();
    let index = Index::open(&path).unwrap();
    Corpus { folder, built, index }
}

impl Corpus {
    pub fn set(&self, texts: &[impl AsRef<str>]) -> Set {
        let path: PathBuf = self.folder.path().join("set.jsonl");
        json_lines(&path, texts);
        Set::new("set", vec![path], Read::default())
    }

    pub fn measure(&self, texts: &[impl AsRef<str>]) -> Measured {
        let ask = Ask { n_worst: 1000, spans: true, distinct: true, threads: 2 };
        measure(&self.index, &self.set(texts), ask, &Silent).unwrap()
    }
}

/// The words of a text by the rule as it is written down, without any of the crate's code.
pub fn words(text: &str) -> Vec<String> {
    let lower: String = text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// All n-grams of a text, joined.
pub fn n_grams(text: &str, n: usize) -> Vec<String> {
    words(text).windows(n).map(|w| w.join(" ")).collect()
}

pub fn naive(texts: &[impl AsRef<str>], n: usize) -> HashSet<String> {
    texts.iter().flat_map(|t| n_grams(t.as_ref(), n)).collect()
}

/// A text of random words out of `vocabulary` ones, with capitals and punctuation between.
pub fn random_text(draws: Draws, at: u64, n_words: u64, vocabulary: u64) -> String {
    let mut text = String::new();
    for i in 0..n_words {
        let bits = draws.bits_at(at + i);
        let word = format!("w{}", u64::from(bits[0]) % vocabulary);
        text += &if bits[1].is_multiple_of(5) { word.to_uppercase() } else { word };
        text += [" ", " ", " ", ", ", " -- ", ".\n", "\u{a0}", "' "][(bits[2] % 8) as usize];
    }
    text
}
