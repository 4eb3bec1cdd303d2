//! A folder of token shards: `.npy` arrays and the manifest beside them that says what is in them.
//!
//! In: `manifest.json` and the arrays it names. Out: checked arrays. The manifest is plain JSON with the fields of [`Manifest`].

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::npy::{TokenArray, Width};
use crate::{Error, Observer, Place, atomic, digest};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
const FORMAT: &str = "ovid-token-shards";
const VERSION: u32 = 1;

/// Which part of the split a shard belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learnt from.
    Train,
    /// Held out (see [`crate::documents::is_validation`]).
    Validation,
}

/// What a folder of token shards holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `ovid-token-shards`.
    pub format: String,
    /// Version of this layout: 1.
    pub version: u32,
    /// Tokens in the vocabulary: every id in the shards is below this.
    pub vocab_size: u32,
    /// SHA-256 that names the tokenizer that made the ids.
    pub tokenizer_sha256: String,
    /// The id that stands between documents.
    pub end_of_text: Option<u32>,
    /// The arrays, in the order in which they are read.
    pub shards: Vec<Shard>,
    /// What each source gave, by its name.
    pub sources: BTreeMap<String, SourceCounts>,
}

/// One array of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// File name, in the manifest's folder.
    pub file: String,
    /// Which part of the split it belongs to.
    pub split: Split,
    /// Ids in it, those between documents among them.
    pub n_tokens: u64,
    /// Documents in it.
    pub n_documents: u64,
    /// Bytes of the documents' texts: what bits per byte are counted over.
    pub n_bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What one source gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Documents in the training part.
    pub n_train_documents: u64,
    /// Ids in the training part.
    pub n_train_tokens: u64,
    /// Text bytes in the training part.
    pub n_train_bytes: u64,
    /// Documents held out.
    pub n_validation_documents: u64,
    /// Ids held out.
    pub n_validation_tokens: u64,
    /// Text bytes held out.
    pub n_validation_bytes: u64,
}

impl Manifest {
    /// A manifest without shards.
    pub fn new(vocab_size: u32, tokenizer_sha256: String, end_of_text: Option<u32>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            vocab_size,
            tokenizer_sha256,
            end_of_text,
            shards: Vec::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Reads and checks the manifest of `folder`. The arrays are not opened: see [`Manifest::open_shard`].
    ///
    /// # Errors
    /// If it cannot be read or contradicts itself.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        Self::parse(&path, &std::fs::read(&path).map_err(|cause| Error::io(&path, "read", cause))?)
    }

    /// Checks the bytes of a manifest; `path` is what errors name.
    ///
    /// # Errors
    /// If they are no manifest or contradict themselves.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|cause| Error::malformed(path, Place::Line(cause.line() as u64), cause.to_string()))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        let wrong = |key: &str, cause: String| Error::malformed(path, Place::Key(key.to_owned()), cause);
        if self.format != FORMAT {
            return Err(wrong("format", format!("{:?} is not {FORMAT:?}", self.format)));
        }
        if self.version != VERSION {
            return Err(Error::unsupported(path, Place::Key("version".to_owned()), format!("version {}", self.version)));
        }
        if self.vocab_size == 0 {
            return Err(wrong("vocab_size", "a vocabulary has at least one token".to_owned()));
        }
        if !digest::is_sha256(&self.tokenizer_sha256) {
            return Err(wrong("tokenizer_sha256", "not 64 hexadecimal digits".to_owned()));
        }
        if self.end_of_text.is_some_and(|id| id >= self.vocab_size) {
            return Err(wrong("end_of_text", format!("not below the vocabulary's size of {}", self.vocab_size)));
        }
        let mut totals = BTreeMap::<Split, u64>::new();
        for (i, shard) in self.shards.iter().enumerate() {
            let key = format!("shards[{i}]");
            if !is_plain_name(&shard.file) {
                return Err(wrong(&key, format!("{:?} is not the name of a file in this folder", shard.file)));
            }
            if self.shards[..i].iter().any(|other| other.file == shard.file) {
                return Err(wrong(&key, format!("{:?} is listed twice", shard.file)));
            }
            if !digest::is_sha256(&shard.sha256) {
                return Err(wrong(&key, "sha256 is not 64 hexadecimal digits".to_owned()));
            }
            let total = totals.entry(shard.split).or_default();
            *total = total.checked_add(shard.n_tokens).ok_or_else(|| wrong(&key, "the counts of tokens overflow".to_owned()))?;
        }
        Ok(())
    }

    /// Writes the manifest into `folder`, after its arrays: a folder with a manifest is whole.
    ///
    /// # Errors
    /// If it contradicts itself or cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(MANIFEST);
        self.check(&path)?;
        atomic::write_atomic(&path, |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            std::io::Write::write_all(out, b"\n")
        })
    }

    /// The width of the ids in the shards.
    pub fn width(&self) -> Width {
        Width::for_vocabulary(self.vocab_size as usize)
    }

    /// The shards of one part of the split.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter(move |shard| shard.split == split)
    }

    /// Opens one of the arrays and checks it against the manifest: its count and every id in it (one pass over the file).
    ///
    /// # Errors
    /// If the array is absent, is not what the manifest says, or holds an id outside the vocabulary.
    pub fn open_shard(&self, folder: &Path, shard: &Shard) -> Result<TokenArray, Error> {
        let path = folder.join(&shard.file);
        let array = TokenArray::open(&path)?;
        let wrong = |cause: String| Err(Error::malformed(&path, Place::Whole, cause));
        if array.len() as u64 != shard.n_tokens {
            return wrong(format!("holds {} tokens, but {MANIFEST} says {}", array.len(), shard.n_tokens));
        }
        match array.ids().max() {
            Some(id) if id >= self.vocab_size => wrong(format!("holds token {id}, but the vocabulary has {} tokens", self.vocab_size)),
            _ => Ok(array),
        }
    }

    /// Holds every array against its SHA-256.
    ///
    /// # Errors
    /// If an array cannot be read or differs, or the observer cancels.
    pub fn verify(&self, folder: &Path, observer: &dyn Observer) -> Result<(), Error> {
        for shard in &self.shards {
            let path = folder.join(&shard.file);
            let found = digest::sha256_file(&path, observer)?;
            if found != shard.sha256 {
                return Err(Error::malformed(&path, Place::Whole, format!("its SHA-256 is {found}, but {MANIFEST} says {}", shard.sha256)));
            }
        }
        Ok(())
    }
}

/// True for a name that stays in its folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']) && !name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use crate::npy::TokenWriter;

    fn sample(folder: &Path) -> Manifest {
        let mut out = TokenWriter::create(&folder.join("train-0.npy"), Width::U16).unwrap();
        out.write(&[1, 2, 299]).unwrap();
        let n_tokens = out.finish().unwrap();
        let mut manifest = Manifest::new(300, digest::sha256(b"tokenizer"), Some(299));
        let sha256 = digest::sha256_file(&folder.join("train-0.npy"), &Silent).unwrap();
        let file = "train-0.npy".to_owned();
        manifest.shards.push(Shard { file, split: Split::Train, n_tokens, n_documents: 1, n_bytes: 5, sha256 });
        manifest
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = sample(folder.path());
        manifest.save(folder.path()).unwrap();
        let loaded = Manifest::load(folder.path()).unwrap();
        assert_eq!(loaded, manifest);
        loaded.verify(folder.path(), &Silent).unwrap();
        assert_eq!(loaded.open_shard(folder.path(), &loaded.shards[0]).unwrap().len(), 3);
    }

    #[test]
    fn contradictions_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |change: fn(&mut Manifest), expected: &str| {
            let mut manifest = sample(folder.path());
            change(&mut manifest);
            let error = manifest.save(folder.path()).unwrap_err().to_string();
            assert!(error.contains("manifest.json'") && error.contains(expected), "{error}");
        };
        check(|m| m.format = "x".into(), "is not \"ovid-token-shards\"");
        check(|m| m.version = 2, "version 2 is not supported");
        check(|m| m.end_of_text = Some(300), "not below the vocabulary's size");
        check(|m| m.shards[0].file = "../x.npy".into(), "not the name of a file in this folder");
        check(|m| m.shards[0].sha256 = "abc".into(), "64 hexadecimal digits");
        check(|m| m.shards.push(m.shards[0].clone()), "listed twice");
        check(
            |m| {
                m.shards[0].n_tokens = u64::MAX;
                m.shards.push(Shard { file: "b.npy".into(), ..m.shards[0].clone() });
            },
            "overflow",
        );
    }

    #[test]
    fn arrays_are_held_against_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = sample(folder.path());
        manifest.shards[0].n_tokens = 4;
        let open = |m: &Manifest| m.open_shard(folder.path(), &m.shards[0]).unwrap_err().to_string();
        assert!(open(&manifest).contains("holds 3 tokens, but manifest.json says 4"));
        manifest = sample(folder.path());
        manifest.vocab_size = 299;
        assert!(open(&manifest).contains("holds token 299, but the vocabulary has 299 tokens"));
        manifest.shards[0].sha256 = digest::sha256(b"");
        assert!(manifest.verify(folder.path(), &Silent).unwrap_err().to_string().contains("its SHA-256 is"));
    }
}
