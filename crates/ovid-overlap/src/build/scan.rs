//! Documents to records: every n-gram's hash and place, by partition.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ovid_io::documents::{self, Document, Documents};
use ovid_io::{Observer, Progress, digest};
use rayon::prelude::*;

use super::{Build, Split};
use crate::blocks::Blocks;
use crate::index::{DocumentEntry, Position, Record};
use crate::{Error, NORMALISATION, Words};

/// Partitions of the records, by the top bits of their hashes.
pub(super) const N_PARTITIONS: usize = 256;
/// Text read before it is worked on; each thread gets its share of it.
const BATCH_BYTES: usize = 16 << 20;

/// Everything that is known after the text was read once.
pub(super) struct Scanned {
    records: Blocks<Record>,
    /// The blocks of each partition.
    blocks: Vec<Vec<usize>>,
    /// A JSON object a line, and where each begins.
    pub(super) documents: Vec<u8>,
    pub(super) document_starts: Vec<u64>,
    digests: String,
    pub(super) n_words: u64,
    pub(super) n_grams: u64,
    pub(super) n_too_short: u64,
    pub(super) text_bytes: u64,
    pub(super) left_out: Vec<String>,
}

impl Scanned {
    /// The records of a partition, in no order; they are forgotten here.
    pub(super) fn partition(&mut self, p: usize) -> Result<Vec<Vec<Record>>, ovid_io::Error> {
        let blocks = std::mem::take(&mut self.blocks[p]);
        blocks.into_iter().map(|block| self.records.take(block)).collect()
    }

    pub(super) fn n_documents(&self) -> u64 {
        self.document_starts.len() as u64 - 1
    }

    pub(super) fn spilled_bytes(&self) -> u64 {
        self.records.disk_bytes()
    }

    /// Names what the index was made from: the texts in their order, and the rule.
    pub(super) fn sha256(&self, n: u32) -> String {
        digest::sha256(format!("{NORMALISATION} {n}\n{}", self.digests).as_bytes())
    }
}

/// Reads everything once.
pub(super) fn scan(
    build: &Build,
    paths: &[PathBuf],
    split: Split,
    folder: &Path,
    pool: &rayon::ThreadPool,
    observer: &dyn Observer,
) -> Result<Scanned, Error> {
    let mut source = Source::open(build, paths, split, observer)?;
    let mut scanned = Scanned {
        records: Blocks::new(folder, build.memory_bytes / 2),
        blocks: vec![Vec::new(); N_PARTITIONS],
        documents: Vec::new(),
        document_starts: vec![0],
        digests: String::new(),
        n_words: 0,
        n_grams: 0,
        n_too_short: 0,
        text_bytes: 0,
        left_out: Vec::new(),
    };
    let n_threads = pool.current_num_threads();
    let mut batch = source.batch(BATCH_BYTES * n_threads)?;
    while !batch.is_empty() {
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        let first = scanned.n_documents();
        if first + batch.len() as u64 > u64::from(u32::MAX) {
            return Err(Error::Setting { name: "the number of documents", value: "greater".to_owned(), must: "below 4,294,967,296" });
        }
        // While this batch is worked on, one thread reads the next.
        let (next, parts) = pool.install(|| {
            rayon::join(
                || source.batch(BATCH_BYTES * n_threads),
                || {
                    let share = batch.len().div_ceil(n_threads).max(1);
                    batch
                        .par_chunks(share)
                        .enumerate()
                        .map(|(i, documents)| read(documents, first + (i * share) as u64, build.n as usize))
                        .collect::<Vec<_>>()
                },
            )
        });
        for part in parts {
            scanned.take(part)?;
        }
        for document in &batch {
            scanned.text_bytes += document.text.len() as u64;
        }
        batch = next?;
        let done = source.bytes_read();
        observer.progress(Progress { stage: "indexing", done, total: Some(source.bytes_total), unit: "bytes" });
    }
    scanned.left_out = source.left_out;
    Ok(scanned)
}

/// What comes of some documents.
struct Part {
    partitions: Vec<Vec<Record>>,
    documents: Vec<(DocumentEntry, String)>,
    n_grams: u64,
    n_too_short: u64,
}

fn read(documents: &[Document], first: u64, n: usize) -> Part {
    let n_bytes: usize = documents.iter().map(|d| d.text.len()).sum();
    // English has six bytes a word; a little more than that, so that most partitions need not grow.
    let mut partitions: Vec<Vec<Record>> = (0..N_PARTITIONS).map(|_| Vec::with_capacity(n_bytes / 5 / N_PARTITIONS + 16)).collect();
    let mut part = Part { partitions: Vec::new(), documents: Vec::with_capacity(documents.len()), n_grams: 0, n_too_short: 0 };
    let mut words = Words::default();
    for (number, document) in (first..).zip(documents) {
        words.read(&document.text);
        let mut position = u64::from(Position { document: number as u32, word: 0 });
        for hash in words.hashes(n) {
            partitions[(hash >> 56) as usize].push(Record { hash, position });
            position += 1;
        }
        part.n_grams += words.n_grams(n) as u64;
        part.n_too_short += u64::from(words.n_grams(n) == 0);
        let entry = DocumentEntry {
            source: document.source.clone(),
            id: document.id.clone(),
            title: document.title.clone(),
            file: document.file.display().to_string(),
            line: document.line,
            n_words: words.len() as u64,
        };
        part.documents.push((entry, digest::sha256(document.text.as_bytes())));
    }
    Part { partitions, ..part }
}

impl Scanned {
    fn take(&mut self, part: Part) -> Result<(), ovid_io::Error> {
        for (p, records) in part.partitions.into_iter().enumerate() {
            if !records.is_empty() {
                self.blocks[p].push(self.records.push(records)?);
            }
        }
        for (entry, digest) in part.documents {
            self.n_words += entry.n_words;
            serde_json::to_writer(&mut self.documents, &entry).expect("strings and numbers can be written as JSON");
            self.documents.push(b'\n');
            self.document_starts.push(self.documents.len() as u64);
            self.digests.push_str(&digest);
            self.digests.push('\n');
        }
        self.n_grams += part.n_grams;
        self.n_too_short += part.n_too_short;
        Ok(())
    }
}

/// The documents of all files that belong to the split.
struct Source<'a> {
    build: &'a Build,
    split: Split,
    observer: &'a dyn Observer,
    waiting: VecDeque<PathBuf>,
    current: Option<Documents>,
    bytes_before: u64,
    bytes_total: u64,
    left_out: Vec<String>,
}

impl<'a> Source<'a> {
    fn open(build: &'a Build, paths: &[PathBuf], split: Split, observer: &'a dyn Observer) -> Result<Self, Error> {
        let files = documents::list(paths)?;
        let bytes_total = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
        Ok(Self { build, split, observer, waiting: files.into(), current: None, bytes_before: 0, bytes_total, left_out: Vec::new() })
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_before + self.current.as_ref().map_or(0, Documents::bytes_read)
    }

    /// The next documents, of about so many bytes together; none at the end.
    fn batch(&mut self, n_bytes: usize) -> Result<Vec<Document>, Error> {
        let (mut batch, mut room) = (Vec::new(), n_bytes);
        while room > 0 {
            let Some(documents) = &mut self.current else {
                let Some(file) = self.waiting.pop_front() else { break };
                match Documents::open(&[file], self.build.limits) {
                    Ok(documents) => self.current = Some(documents),
                    Err(e) => self.leave_out(e)?,
                }
                continue;
            };
            match documents.next() {
                Some(Ok(document)) if self.split.holds(&document.source, &document.id) => {
                    room = room.saturating_sub(document.text.len().max(1));
                    batch.push(document);
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => self.leave_out(e)?,
                None => {
                    self.bytes_before += documents.bytes_read();
                    self.current = None;
                }
            }
        }
        Ok(batch)
    }

    /// Ends the work, or names what is left out and goes on with the next file.
    fn leave_out(&mut self, error: ovid_io::Error) -> Result<(), Error> {
        if !self.build.keep_going {
            return Err(error.into());
        }
        self.observer.note(&format!("left out: {error}"));
        self.left_out.push(error.to_string());
        Ok(())
    }
}
