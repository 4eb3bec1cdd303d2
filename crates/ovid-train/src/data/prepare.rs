//! Texts to token shards, once.
//!
//! In: JSON Lines (also `.zst`, `.gz`) and plain text, a tokenizer. Out: a folder of shards, named by the digest of the texts and the tokenizer, so that the same texts are not read again.
//! The split is DESIGN.md's: a document is held out where [`ovid_io::documents::is_validation`] says so, and of a source without such a document the one with the lowest hash.
//! A source of a single document, such as a novel to fine-tune on, gives the last fiftieth of its tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_io::atomic::{IfExists, write_folder};
use ovid_io::digest::{sha256, sha256_file, sha256_tree};
use ovid_io::documents::{Document, Documents, Limits, is_stdin, list};
use ovid_io::npy::{TokenWriter, Width};
use ovid_io::shards::{MANIFEST, Manifest, Shard, SourceCounts, Split};
use ovid_io::{Observer, Progress, Silent};

use crate::Error;

/// A shard is closed at the first document's end after so many tokens.
const SHARD_TOKENS: u64 = 100_000_000;
/// Bytes of text that are tokenised together.
const BATCH_BYTES: usize = 8 << 20;

/// Makes a folder of shards below `cache`, or finds it there, and returns it.
///
/// # Errors
/// If a text cannot be read, the tokenizer has no end-of-text, or the folder cannot be written.
pub fn shard_texts(
    texts: &[PathBuf],
    tokenizer: &Tokenizer,
    cache: &Path,
    n_threads: usize,
    observer: &dyn Observer,
) -> Result<PathBuf, Error> {
    let tokenizer_sha256 = tokenizer_digest(tokenizer, cache)?;
    let mut lines = vec![tokenizer_sha256.clone()];
    for file in list(texts)? {
        lines.push(format!("{} {}", file.file_name().unwrap_or_default().to_string_lossy(), sha256_file(&file, observer)?));
    }
    let folder = cache.join(&sha256(lines.join("\n").as_bytes())[..16]);
    if !folder.join(MANIFEST).is_file() {
        write_folder::<Error>(&folder, IfExists::Replace, |folder| {
            write_shards(texts, tokenizer, tokenizer_sha256, folder, n_threads, observer).map(drop)
        })?;
    }
    Ok(folder)
}

/// What names a tokenizer in a manifest: the digest of the `tokenizer.json` that is written for it.
fn tokenizer_digest(tokenizer: &Tokenizer, cache: &Path) -> Result<String, Error> {
    let folder = cache.join("tokenizer");
    std::fs::create_dir_all(&folder).map_err(|cause| ovid_io::Error::io(&folder, "make", cause))?;
    tokenizer.save_hf(&folder)?;
    let file = folder.join("tokenizer.json");
    Ok(if file.is_file() { sha256_file(&file, &Silent)? } else { sha256_tree(&folder, &Silent)? })
}

/// Writes the shards and the manifest of texts into an existing folder.
///
/// # Errors
/// If a text cannot be read, the tokenizer has no end-of-text, or a file cannot be written.
pub fn write_shards(
    texts: &[PathBuf],
    tokenizer: &Tokenizer,
    tokenizer_sha256: String,
    folder: &Path,
    n_threads: usize,
    observer: &dyn Observer,
) -> Result<Manifest, Error> {
    let Some(end_of_text) = tokenizer.end_of_text() else {
        return Err(Error::config("tokenizer", "has no end-of-text token to stand between documents"));
    };
    if texts.iter().any(|path| is_stdin(path)) {
        return Err(Error::config("text", "standard input can be read once, and texts are read twice"));
    }
    let rules = held_out(texts, observer)?;
    let manifest = Manifest::new(tokenizer.vocab_size() as u32, tokenizer_sha256, Some(end_of_text));
    let width = manifest.width();
    let mut writer = Writer { folder, width, end_of_text, manifest, open: BTreeMap::new() };
    let mut documents = Documents::open(texts, Limits::default())?;
    loop {
        let (mut batch, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < BATCH_BYTES
            && let Some(document) = documents.next()
        {
            let document = document?;
            n_bytes += document.text.len();
            batch.push(document);
        }
        if batch.is_empty() {
            break;
        }
        let texts: Vec<&[u8]> = batch.iter().map(|document| document.text.as_bytes()).collect();
        for (document, ids) in batch.iter().zip(tokenizer.encode_batch(&texts, n_threads)) {
            writer.document(document, &ids, &rules[&document.source], tokenizer)?;
        }
        observer.progress(Progress {
            stage: "tokenising",
            done: documents.bytes_read(),
            total: Some(documents.bytes_total()),
            unit: "bytes",
        });
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
    }
    writer.finish()
}

/// How a source's held-out documents are told.
#[derive(Debug, PartialEq)]
enum Rule {
    /// By the hash alone.
    Hash,
    /// This one, since the hash takes none.
    Document(String),
    /// The end of the only one.
    Tail,
}

/// Reads all documents once to find the sources of which the hash takes none.
fn held_out(texts: &[PathBuf], observer: &dyn Observer) -> Result<BTreeMap<String, Rule>, Error> {
    let mut sources: BTreeMap<String, (u64, bool, String, String)> = BTreeMap::new();
    for document in Documents::open(texts, Limits::default())? {
        let document = document?;
        let hash = sha256(format!("{}\0{}", document.source, document.id).as_bytes());
        let is_validation = document.is_validation();
        let entry = sources.entry(document.source).or_insert_with(|| (0, false, hash.clone(), document.id.clone()));
        entry.0 += 1;
        entry.1 |= is_validation;
        if hash < entry.2 {
            (entry.2, entry.3) = (hash, document.id);
        }
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
    }
    let rule = |(n, is_any, _, lowest)| match (n, is_any) {
        (1, _) => Rule::Tail,
        (_, true) => Rule::Hash,
        _ => Rule::Document(lowest),
    };
    Ok(sources.into_iter().map(|(source, found)| (source, rule(found))).collect())
}

struct Writer<'a> {
    folder: &'a Path,
    width: Width,
    end_of_text: u32,
    manifest: Manifest,
    open: BTreeMap<Split, (TokenWriter, Shard)>,
}

impl Writer<'_> {
    fn document(&mut self, document: &Document, ids: &[u32], rule: &Rule, tokenizer: &Tokenizer) -> Result<(), Error> {
        let split = |is_validation| if is_validation { Split::Validation } else { Split::Train };
        match rule {
            Rule::Hash => self.add(split(document.is_validation()), &document.source, ids, document.text.len() as u64),
            Rule::Document(id) => self.add(split(document.id == *id), &document.source, ids, document.text.len() as u64),
            Rule::Tail => {
                let (train, validation) = ids.split_at(ids.len() - ids.len() / 50);
                let n_bytes: usize = validation.iter().filter_map(|id| tokenizer.token_bytes(*id)).map(<[u8]>::len).sum();
                self.add(Split::Train, &document.source, train, (document.text.len() - n_bytes) as u64)?;
                if validation.is_empty() { Ok(()) } else { self.add(Split::Validation, &document.source, validation, n_bytes as u64) }
            }
        }
    }

    fn add(&mut self, split: Split, source: &str, ids: &[u32], n_bytes: u64) -> Result<(), Error> {
        if !self.open.contains_key(&split) {
            let n = self.manifest.split(split).count();
            let file = format!("{}-{n:03}.npy", if split == Split::Train { "train" } else { "validation" });
            let out = TokenWriter::create(&self.folder.join(&file), self.width)?;
            self.open.insert(split, (out, Shard { file, split, n_tokens: 0, n_documents: 0, n_bytes: 0, sha256: String::new() }));
        }
        let (out, shard) = self.open.get_mut(&split).expect("it was just made");
        out.write(ids)?;
        out.write(&[self.end_of_text])?;
        shard.n_documents += 1;
        shard.n_bytes += n_bytes;
        let is_full = out.n_tokens() >= SHARD_TOKENS;
        let counts: &mut SourceCounts = self.manifest.sources.entry(source.to_owned()).or_default();
        let (documents, tokens, bytes) = match split {
            Split::Train => (&mut counts.n_train_documents, &mut counts.n_train_tokens, &mut counts.n_train_bytes),
            Split::Validation => (&mut counts.n_validation_documents, &mut counts.n_validation_tokens, &mut counts.n_validation_bytes),
        };
        *documents += 1;
        *tokens += ids.len() as u64 + 1;
        *bytes += n_bytes;
        if is_full { self.close(split) } else { Ok(()) }
    }

    fn close(&mut self, split: Split) -> Result<(), Error> {
        if let Some((out, mut shard)) = self.open.remove(&split) {
            shard.n_tokens = out.finish()?;
            shard.sha256 = sha256_file(&self.folder.join(&shard.file), &Silent)?;
            self.manifest.shards.push(shard);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Manifest, Error> {
        self.close(Split::Train)?;
        self.close(Split::Validation)?;
        self.manifest.save(self.folder)?;
        Ok(self.manifest)
    }
}
