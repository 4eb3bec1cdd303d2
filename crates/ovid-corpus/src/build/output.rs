//! From the last pass's chunks to the result: documents on both sides of the split, rows, token shards.
//!
//! A part is the documents of 32 chunks (256 MiB of text) on one side; the shard of a part holds its tokens, so that a document that is taken down is looked for in one shard alone.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_io::Progress;
use ovid_io::atomic::write_atomic;
use ovid_io::digest::sha256_file;
use ovid_io::npy::{TokenWriter, Width};
use ovid_io::shards::{Manifest, Shard, SourceCounts, Split as Side};
use serde::{Deserialize, Serialize};

use super::counts::{Build, SplitCounts, add_all};
use super::split::{Sources, Split};
use super::{Run, plan};
use crate::config::Form;
use crate::files::{PackedLines, SMALL, make_folder, read_json, read_lines, write_json};
use crate::{Document, Error};

/// The folder of the documents.
pub(crate) const DOCUMENTS: &str = "documents";
/// The rows of what was left out.
pub(crate) const DROPPED: &str = "dropped.jsonl.zst";
/// The folder of the token shards.
pub(crate) const SHARDS: &str = "shards";
const CHUNKS_A_PART: usize = 32;
/// Bytes of text that are tokenised together.
const BATCH_BYTES: usize = 8 << 20;

/// A file of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub path: PathBuf,
    /// The name without extensions, which its shard has too: `train-00000`.
    pub name: String,
    pub side: Side,
}

/// The parts of a finished corpus, training before validation, in order.
pub(crate) fn parts_of(folder: &Path) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for path in ovid_io::documents::list(&[folder.join(DOCUMENTS)])? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = file.split('.').next().unwrap_or_default().to_owned();
        let side = if name.starts_with("train-") { Side::Train } else { Side::Validation };
        parts.push(Part { path, name, side });
    }
    Ok(parts)
}

/// The documents of a part.
pub(crate) fn read_part(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Document, Error>>>, Error> {
    if path.extension().is_some_and(|e| e == "parquet") {
        return Ok(Box::new(crate::parquet_file::read(path)?));
    }
    Ok(Box::new(read_lines(path)?))
}

/// Writes a part; its form is told by its name.
pub(crate) fn write_part(path: &Path, documents: impl Iterator<Item = Result<Document, Error>>) -> Result<(), Error> {
    if path.extension().is_some_and(|e| e == "parquet") {
        return crate::parquet_file::write(path, documents);
    }
    let mut out = PackedLines::create(path, SMALL)?;
    for document in documents {
        out.write(&document?)?;
    }
    out.finish()
}

/// What is known of a finished part.
#[derive(Default, Serialize, Deserialize)]
struct PartCounts {
    train: SplitCounts,
    validation: SplitCounts,
}

impl Run<'_> {
    pub(super) fn output(&self, n_chunks: usize, inputs_sha256: String) -> Result<Build, Error> {
        let n_passes = plan::passes(self.config)?.len();
        let mut build = Build { inputs_sha256, ..Build::default() };
        let mut sources = Sources::default();
        for pass in 0..n_passes {
            let mut counts = Vec::new();
            for chunk in 0..n_chunks {
                let marker = self.folder(pass).marker(chunk)?;
                add_all(&mut counts, &marker.counts);
                if pass + 1 == n_passes {
                    sources.add_all(&marker.sources);
                }
            }
            build.stages.extend(counts);
        }
        self.write_dropped(n_passes, n_chunks)?;
        self.write_documents(n_passes - 1, n_chunks, &sources.split(), &mut build)?;
        if let Some(tokenizer) = self.tokenizer {
            self.write_shards(tokenizer, &mut build)?;
        }
        Ok(build)
    }

    /// Packed streams one behind the other are one packed stream.
    fn write_dropped(&self, n_passes: usize, n_chunks: usize) -> Result<(), Error> {
        Ok(write_atomic(&self.out.join(DROPPED), |out| {
            for pass in 0..n_passes {
                for chunk in 0..n_chunks {
                    let mut rows = std::fs::File::open(self.folder(pass).rows_file(chunk))?;
                    std::io::copy(&mut rows, out)?;
                }
            }
            if n_chunks == 0 { out.write_all(&zstd::encode_all(&b""[..], 1)?) } else { Ok(()) }
        })?)
    }

    fn write_documents(&self, pass: usize, n_chunks: usize, split: &Split, build: &mut Build) -> Result<(), Error> {
        let (folder, markers) = (self.folder(pass), self.work().join("parts"));
        make_folder(&self.out.join(DOCUMENTS))?;
        make_folder(&markers)?;
        let marker = |part: usize| markers.join(format!("{part:05}.json"));
        let n_parts = n_chunks.div_ceil(CHUNKS_A_PART);
        self.parallel(0..n_parts, |part| {
            if marker(part).is_file() {
                return Ok(());
            }
            let chunks = part * CHUNKS_A_PART..((part + 1) * CHUNKS_A_PART).min(n_chunks);
            let mut counts = PartCounts::default();
            for (side, sums) in [(Side::Train, &mut counts.train), (Side::Validation, &mut counts.validation)] {
                let path = self.out.join(DOCUMENTS).join(part_name(part, side, self.config.output.documents));
                let mut documents = chunks.clone().map(|chunk| folder.documents(chunk)).flat_map(|documents| match documents {
                    Ok(documents) => Box::new(documents) as Box<dyn Iterator<Item = _>>,
                    Err(error) => Box::new(std::iter::once(Err(error))),
                });
                let documents =
                    documents.by_ref().filter(|d| d.as_ref().map_or(true, |d| split.is_validation(d) == (side == Side::Validation)));
                let mut counted = documents
                    .inspect(|document| {
                        if let Ok(document) = document {
                            sums.n_documents += 1;
                            sums.n_bytes += document.text.len() as u64;
                        }
                    })
                    .peekable();
                if counted.peek().is_some() {
                    write_part(&path, counted)?;
                }
            }
            self.observer.progress(Progress {
                stage: "writing documents",
                done: part as u64 + 1,
                total: Some(n_parts as u64),
                unit: "parts",
            });
            write_json(&marker(part), &counts)
        })?;
        for part in 0..n_parts {
            let counts: PartCounts = read_json(&marker(part))?.unwrap_or_default();
            build.train.add(&counts.train);
            build.validation.add(&counts.validation);
        }
        Ok(())
    }

    fn write_shards(&self, tokenizer: &Tokenizer, build: &mut Build) -> Result<(), Error> {
        let (folder, markers) = (self.out.join(SHARDS), self.work().join("shards"));
        let beside = folder.join("tokenizer");
        make_folder(&beside)?;
        make_folder(&markers)?;
        tokenizer.save_hf(&beside)?;
        let Some(end_of_text) = tokenizer.end_of_text() else {
            return Err(Error::data(&beside, "the tokenizer has no end-of-text token to stand between documents"));
        };
        let sha256 = sha256_file(&beside.join("tokenizer.json"), &ovid_io::Silent)?;
        let mut manifest = Manifest::new(tokenizer.vocab_size() as u32, sha256, Some(end_of_text));
        let parts = parts_of(self.out)?;
        for (i, part) in parts.iter().enumerate() {
            let marker = markers.join(format!("{}.json", part.name));
            if !marker.is_file() {
                let made = shard_of(part, &folder.join(format!("{}.npy", part.name)), tokenizer, end_of_text, self.n_threads, || {
                    self.observer.cancelled()
                })?;
                write_json(&marker, &made)?;
            }
            let (shard, sources): (Shard, BTreeMap<String, SourceCounts>) =
                read_json(&marker)?.ok_or_else(|| Error::data(&marker, "is gone"))?;
            let counts = if part.side == Side::Train { &mut build.train } else { &mut build.validation };
            counts.n_tokens += shard.n_tokens;
            manifest.shards.push(shard);
            for (source, counts) in sources {
                add_source(manifest.sources.entry(source).or_default(), &counts);
            }
            self.observer.progress(Progress { stage: "tokenising", done: i as u64 + 1, total: Some(parts.len() as u64), unit: "parts" });
        }
        Ok(manifest.save(&folder)?)
    }
}

fn part_name(part: usize, side: Side, form: Form) -> String {
    let side = if side == Side::Train { "train" } else { "validation" };
    let extension = if form == Form::Parquet { "parquet" } else { "jsonl.zst" };
    format!("{side}-{part:05}.{extension}")
}

/// The tokens of a part, each document ended by end-of-text, and what each source gave.
pub(crate) fn shard_of(
    part: &Part,
    path: &Path,
    tokenizer: &Tokenizer,
    end_of_text: u32,
    n_threads: usize,
    cancelled: impl Fn() -> bool,
) -> Result<(Shard, BTreeMap<String, SourceCounts>), Error> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut shard = Shard { file, split: part.side, n_tokens: 0, n_documents: 0, n_bytes: 0, sha256: String::new() };
    let mut sources: BTreeMap<String, SourceCounts> = BTreeMap::new();
    let mut out = TokenWriter::create(path, Width::for_vocabulary(tokenizer.vocab_size()))?;
    let mut documents = read_part(&part.path)?;
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
        if cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        let texts: Vec<&[u8]> = batch.iter().map(|document| document.text.as_bytes()).collect();
        for (document, ids) in batch.iter().zip(tokenizer.encode_batch(&texts, n_threads)) {
            out.write(&ids)?;
            out.write(&[end_of_text])?;
            shard.n_documents += 1;
            shard.n_bytes += document.text.len() as u64;
            let one = source_counts(part.side, ids.len() as u64 + 1, document.text.len() as u64);
            add_source(sources.entry(document.source.clone()).or_default(), &one);
        }
    }
    shard.n_tokens = out.finish()?;
    shard.sha256 = sha256_file(path, &ovid_io::Silent)?;
    Ok((shard, sources))
}

/// The counts of one document.
pub(crate) fn source_counts(side: Side, n_tokens: u64, n_bytes: u64) -> SourceCounts {
    match side {
        Side::Train => SourceCounts { n_train_documents: 1, n_train_tokens: n_tokens, n_train_bytes: n_bytes, ..SourceCounts::default() },
        Side::Validation => SourceCounts {
            n_validation_documents: 1,
            n_validation_tokens: n_tokens,
            n_validation_bytes: n_bytes,
            ..SourceCounts::default()
        },
    }
}

fn add_source(sum: &mut SourceCounts, other: &SourceCounts) {
    sum.n_train_documents += other.n_train_documents;
    sum.n_train_tokens += other.n_train_tokens;
    sum.n_train_bytes += other.n_train_bytes;
    sum.n_validation_documents += other.n_validation_documents;
    sum.n_validation_tokens += other.n_validation_tokens;
    sum.n_validation_bytes += other.n_validation_bytes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::refuse;

    #[test]
    fn parts_have_the_names_of_their_shards() {
        assert_eq!(part_name(3, Side::Train, Form::JsonLines), "train-00003.jsonl.zst");
        assert_eq!(part_name(0, Side::Validation, Form::Parquet), "validation-00000.parquet");
        let refused = refuse(Path::new("x"), std::io::Error::other("full"));
        assert_eq!(refused.to_string(), "cannot write 'x': full");
    }
}
