//! The shards of a run: every folder's training part as one long array, and the same for what is held out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ovid_io::npy::TokenArray;
use ovid_io::shards::{Manifest, Split};

use crate::Error;

/// Token arrays one after the other.
#[derive(Debug, Default)]
pub struct Tokens {
    arrays: Vec<TokenArray>,
    /// Where each array begins, and where the last one ends.
    starts: Vec<u64>,
}

impl Tokens {
    /// Joins arrays.
    pub fn new(arrays: Vec<TokenArray>) -> Self {
        let mut starts = vec![0];
        for array in &arrays {
            starts.push(starts[starts.len() - 1] + array.len() as u64);
        }
        Self { arrays, starts }
    }

    /// Number of tokens.
    pub fn len(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arrays, each with where it begins.
    pub fn arrays(&self) -> impl Iterator<Item = (u64, &TokenArray)> {
        self.starts.iter().copied().zip(&self.arrays)
    }

    /// Fills `out` with the tokens from `start` on.
    ///
    /// # Panics
    /// If there are too few.
    pub fn copy(&self, mut start: u64, mut out: &mut [u32]) {
        assert!(start + out.len() as u64 <= self.len(), "tokens {start}.. of {}", self.len());
        while !out.is_empty() {
            let i = self.starts.partition_point(|s| *s <= start) - 1;
            let n = out.len().min((self.starts[i + 1] - start) as usize);
            let (now, later) = out.split_at_mut(n);
            assert!(
                self.arrays[i].ids().copy_to((start - self.starts[i]) as usize, now),
                "the array has as many tokens as it had when it was opened"
            );
            start += n as u64;
            out = later;
        }
    }
}

/// One folder of shards.
#[derive(Debug)]
pub struct Entry {
    /// The folder.
    pub path: PathBuf,
    /// How often its training pieces are seen in an epoch.
    pub weight: f64,
    /// What is learnt from.
    pub train: Tokens,
    /// What is held out.
    pub validation: Tokens,
    /// Text bytes of the held-out part.
    pub validation_bytes: u64,
    /// Text bytes of the training part.
    pub train_bytes: u64,
}

/// All data of a run.
#[derive(Debug)]
pub struct Corpus {
    /// The folders, in the order given.
    pub entries: Vec<Entry>,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// The id that stands between documents.
    pub end_of_text: Option<u32>,
    /// SHA-256 of the tokenizer that made the ids.
    pub tokenizer_sha256: String,
    /// Names all of it: the digests of the shards and the weights.
    pub sha256: String,
}

impl Corpus {
    /// Opens folders of token shards; no weights means 1 for all.
    ///
    /// # Errors
    /// If a manifest or a shard is absent or wrong, or two folders were made with different tokenizers.
    pub fn open(folders: &[PathBuf], weights: &[f64]) -> Result<Self, Error> {
        let mut corpus =
            Self { entries: Vec::new(), vocab_size: 0, end_of_text: None, tokenizer_sha256: String::new(), sha256: String::new() };
        let mut lines = String::new();
        for (i, folder) in folders.iter().enumerate() {
            let manifest = Manifest::load(folder)?;
            let weight = weights.get(i).copied().unwrap_or(1.0);
            if i == 0 {
                corpus.vocab_size = manifest.vocab_size as usize;
                corpus.end_of_text = manifest.end_of_text;
                corpus.tokenizer_sha256.clone_from(&manifest.tokenizer_sha256);
            } else if corpus.tokenizer_sha256 != manifest.tokenizer_sha256 || corpus.end_of_text != manifest.end_of_text {
                return Err(Error::data(folder, format!("made with another tokenizer than '{}'", folders[0].display())));
            }
            for shard in &manifest.shards {
                writeln!(lines, "{} {:?} {weight}", shard.sha256, shard.split).expect("writing to a string cannot fail");
            }
            corpus.entries.push(entry(folder, &manifest, weight)?);
        }
        if corpus.entries.iter().all(|entry| entry.train.is_empty()) {
            let path = folders.first().map_or(Path::new(""), PathBuf::as_path);
            return Err(Error::data(path, "holds no training tokens"));
        }
        corpus.sha256 = ovid_io::digest::sha256(lines.as_bytes());
        Ok(corpus)
    }

    /// Text bytes of a training token, on average; `None` where the manifests do not say.
    pub fn train_bytes_per_token(&self) -> Option<f64> {
        let (bytes, tokens) = self.entries.iter().fold((0, 0), |(b, t), e| (b + e.train_bytes, t + e.train.len()));
        (bytes > 0 && tokens > 0).then(|| bytes as f64 / tokens as f64)
    }
}

fn entry(folder: &Path, manifest: &Manifest, weight: f64) -> Result<Entry, Error> {
    let open = |split| -> Result<(Tokens, u64), Error> {
        let (mut arrays, mut bytes) = (Vec::new(), 0u64);
        for shard in manifest.split(split) {
            arrays.push(manifest.open_shard(folder, shard)?);
            bytes = bytes.saturating_add(shard.n_bytes);
        }
        Ok((Tokens::new(arrays), bytes))
    };
    let (train, train_bytes) = open(Split::Train)?;
    let (validation, validation_bytes) = open(Split::Validation)?;
    Ok(Entry { path: folder.to_owned(), weight, train, validation, validation_bytes, train_bytes })
}
