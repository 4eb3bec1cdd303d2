//! Texts that read as prose to the filters, made from a seed; and a corpus built of them.
#![allow(dead_code, missing_docs)]

use std::path::Path;

use ovid_bpe::Tokenizer;
use ovid_corpus::build::{Build, build};
use ovid_corpus::config::Config;
use ovid_corpus::extract::{PageLimits, Settings, Workers};
use ovid_corpus::{Document, Error};
use ovid_io::{Observer, Silent};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A number that depends on its place alone.
pub fn draw(seed: u64, place: u64, n: u64) -> u64 {
    xxh3_64_with_seed(&place.to_le_bytes(), seed) % n
}

const COMMON: [&str; 16] = ["the", "of", "and", "to", "that", "with", "have", "be", "in", "it", "was", "for", "on", "as", "his", "they"];

const OTHERS: [&str; 48] = [
    "river", "stone", "letter", "winter", "garden", "answer", "window", "market", "silver", "morning", "question", "harbour", "teacher",
    "mountain", "candle", "village", "journey", "kitchen", "thunder", "library", "sailor", "orchard", "bridge", "evening", "children",
    "mother", "doctor", "street", "water", "bread", "horse", "summer", "music", "dinner", "church", "forest", "island", "soldier",
    "captain", "corner", "story", "picture", "paper", "table", "brother", "station", "weather", "country",
];

/// A word: half of them the language's commonest.
pub fn word(seed: u64, place: u64) -> String {
    let of = |words: &[&str]| words[draw(seed, 2 * place + 1, words.len() as u64) as usize].to_owned();
    if draw(seed, 2 * place, 2) == 0 { of(&COMMON) } else { of(&OTHERS) }
}

pub fn prose(seed: u64, n_words: usize) -> String {
    let mut text = String::new();
    for i in 0..n_words {
        let word = word(seed, i as u64);
        match i % 14 {
            0 => text.push_str(&(word[..1].to_uppercase() + &word[1..])),
            _ => text.push_str(&word),
        }
        text.push_str(match i % 14 {
            13 if i % 56 == 55 => ".\n\n",
            13 => ". ",
            _ => " ",
        });
    }
    text + "end."
}

/// The text with one word in so many replaced, each by a word of its own.
pub fn edited(text: &str, seed: u64, one_in: u64) -> String {
    let words = text.split(' ').enumerate();
    let new = |i: usize, word: &str| {
        if draw(seed, i as u64, one_in) == 0 { format!("x{}", draw(seed ^ 1, i as u64, 1 << 40)) } else { word.to_owned() }
    };
    words.map(|(i, word)| new(i, word)).collect::<Vec<_>>().join(" ")
}

pub fn document(source: &str, id: impl ToString, url: &str, text: String) -> Document {
    Document { text, source: source.into(), id: id.to_string(), url: Some(url.into()), ..Document::default() }
}

pub fn write_documents(path: &Path, documents: &[Document]) {
    let lines: String = documents.iter().map(|d| serde_json::to_string(d).unwrap() + "\n").collect();
    std::fs::write(path, lines).unwrap();
}

pub fn tokenizer() -> Tokenizer {
    ovid_bpe::train([prose(99, 3000)].into_iter(), 400, 1, &Silent).unwrap()
}

pub fn run(toml: &Path, out: &Path, tokenizer: Option<&Tokenizer>, n_threads: usize, observer: &dyn Observer) -> Result<Build, Error> {
    // No page is among the inputs, so that no worker is started.
    let workers = Workers {
        program: "no-such-program".into(),
        arguments: Vec::new(),
        n_workers: 1.try_into().unwrap(),
        limits: PageLimits::default(),
        settings: Settings::default(),
    };
    build(&Config::load(toml)?, tokenizer, &workers, out, n_threads, observer)
}

/// Every file below a folder with its bytes, by path.
pub fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = ovid_io::documents::list(&[folder]).unwrap();
    files.into_iter().map(|f| (f.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&f).unwrap())).collect()
}

pub fn documents(out: &Path, side: &str) -> Vec<Document> {
    let mut all = Vec::new();
    for path in ovid_io::documents::list(&[out.join("documents")]).unwrap() {
        if path.file_name().unwrap().to_str().unwrap().starts_with(side) {
            all.extend(lines(&path));
        }
    }
    all
}

pub fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let bytes = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}
