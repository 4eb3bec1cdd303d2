//! From a training corpus to an index, in time linear in the text.
//!
//! 1. Scan: each document's n-grams become records (hash, position), put into one of 256 partitions by the hash's top bits.
//! 2. Partitions are sorted one by one; so the distinct n-grams are counted, and the filter's segments get the bits that their numbers ask for.
//! 3. The file is written.
//!
//! What exceeds the memory budget waits on disk beside the index, see `blocks`.

mod scan;

use std::path::{Path, PathBuf};

use ovid_io::documents::Limits;
use ovid_io::safetensors::SafeTensorsWriter;
use ovid_io::{Dtype, Observer, Progress, TensorSpec};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::blocks::Blocks;
use crate::filter::{Design, Segment};
use crate::index::{FORMAT, Record, Summary, VERSION};
use crate::report::IndexSummary;
use crate::{Error, NORMALISATION};
use scan::{N_PARTITIONS, Scanned, scan};

/// Which documents of a corpus are indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Every document.
    All,
    /// Those that are not held out by [`ovid_io::documents::is_validation`].
    Train,
    /// Those that are held out.
    Validation,
}

impl Split {
    /// Its name in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }

    fn holds(self, source: &str, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Train => !ovid_io::documents::is_validation(source, id),
            Self::Validation => ovid_io::documents::is_validation(source, id),
        }
    }
}

/// How an index is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Build {
    /// Words in an n-gram.
    pub n: u32,
    /// What the filter's rate of false positives may not exceed.
    pub false_positive_rate: f64,
    /// Memory for records, sorted entries and the filter; what does not fit goes to disk. Documents in hand come on top.
    pub memory_bytes: usize,
    /// Threads; 0 for as many as the machine has.
    pub threads: usize,
    /// Whether files that cannot be read are named, counted and left out, instead of ending the work.
    pub keep_going: bool,
    /// What one document may cost.
    pub limits: Limits,
}

impl Default for Build {
    /// The paper's 8-grams and 1e-8, and 4 GiB.
    fn default() -> Self {
        Self { n: 8, false_positive_rate: 1e-8, memory_bytes: 4 << 30, threads: 0, keep_going: false, limits: Limits::default() }
    }
}

/// What `ovid overlap index --json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// The index.
    pub path: String,
    /// Words in an n-gram.
    pub n: u32,
    /// What was indexed.
    #[serde(flatten)]
    pub index: IndexSummary,
    /// Documents of fewer than n words, which have no n-gram.
    pub n_too_short: u64,
    /// Bytes of text.
    pub text_bytes: u64,
    /// Bytes of the filter.
    pub filter_bytes: u64,
    /// Bytes of the exact index: 16 for each occurrence.
    pub exact_bytes: u64,
    /// Bytes of filter and exact index for each distinct n-gram.
    pub bytes_per_distinct: f64,
    /// Bits of the filter that are looked at for each n-gram.
    pub n_probes: u32,
    /// Bytes that went through temporary files.
    pub spilled_bytes: u64,
    /// Files and lines left out because they could not be read, each with the reason.
    pub left_out: Vec<String>,
}

/// A segment of the filter takes at most this much, so that it fits into a core's first-level cache.
const SEGMENT_BYTES: f64 = 32_768.0;

impl Build {
    /// Indexes files and folders into the file `out`.
    ///
    /// # Errors
    /// If a setting cannot be, a document not be read (unless `keep_going`), nothing is there to index, the index not be written, or the observer cancels.
    pub fn write(&self, paths: &[PathBuf], split: Split, out: &Path, observer: &dyn Observer) -> Result<Built, Error> {
        self.check()?;
        let pool = crate::query::pool(self.threads)?;
        let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut scanned = scan(self, paths, split, folder, &pool, observer)?;
        if scanned.n_grams == 0 {
            return Err(Error::Empty { what: "the training text".to_owned(), n: self.n });
        }
        let design = Design::for_rate(self.false_positive_rate);
        let filter_bytes = scanned.n_grams as f64 * design.bits_per_ngram / 8.0;
        let n_segments = ((filter_bytes / SEGMENT_BYTES).ceil() as usize).next_power_of_two().max(N_PARTITIONS);
        let mut sorted = Sorted::new(folder, self.memory_bytes, n_segments);
        let in_hand = pool.current_num_threads();
        for first in (0..N_PARTITIONS).step_by(in_hand) {
            if observer.cancelled() {
                return Err(ovid_io::Error::Cancelled.into());
            }
            let last = (first + in_hand).min(N_PARTITIONS);
            let records = (first..last).map(|p| scanned.partition(p)).collect::<Result<Vec<_>, _>>()?;
            let parts: Vec<Part> = pool.install(|| records.into_par_iter().map(|r| Part::new(&r, n_segments, &design)).collect());
            parts.into_iter().try_for_each(|part| sorted.push(part))?;
            observer.progress(Progress { stage: "sorting", done: last as u64, total: Some(N_PARTITIONS as u64), unit: "partitions" });
        }
        self.save(out, split, &scanned, sorted, &design, observer)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |name, value: String, must| Err(Error::Setting { name, value, must });
        if !(1..=1000).contains(&self.n) {
            return wrong("n", self.n.to_string(), "between 1 and 1000");
        }
        if !(1e-15..=0.5).contains(&self.false_positive_rate) {
            return wrong("the false-positive rate", self.false_positive_rate.to_string(), "between 1e-15 and 0.5");
        }
        Ok(())
    }

    fn save(
        &self,
        out: &Path,
        split: Split,
        scanned: &Scanned,
        mut sorted: Sorted,
        design: &Design,
        observer: &dyn Observer,
    ) -> Result<Built, Error> {
        let n_segments = sorted.ends.len() - 1;
        let index = IndexSummary {
            sha256: scanned.sha256(self.n),
            split: split.name().to_owned(),
            n_documents: scanned.n_documents(),
            n_words: scanned.n_words,
            n_grams: scanned.n_grams,
            distinct: sorted.distinct,
            false_positive_rate: sorted.rates / n_segments as f64,
        };
        let summary =
            Summary { n: self.n, n_probes: design.n_probes, normalisation: NORMALISATION.to_owned(), hash: "xxh3-64".to_owned(), index };
        let text = serde_json::to_string(&summary).map_err(|e| ovid_io::Error::unwritable(out, ovid_io::Place::Whole, e.to_string()))?;
        let metadata = [("format", FORMAT), ("version", VERSION), ("summary", &text), ("ovid", env!("CARGO_PKG_VERSION"))];
        let [filter_words, n_entries] = sorted.ends[n_segments];
        let specs = [
            TensorSpec::new("segments", Dtype::U64, [n_segments + 1, 2]),
            TensorSpec::new("filter", Dtype::U64, [filter_words as usize]),
            TensorSpec::new("entries", Dtype::U64, [n_entries as usize, 2]),
            TensorSpec::new("document_starts", Dtype::U64, [scanned.document_starts.len()]),
            TensorSpec::new("documents", Dtype::U8, [scanned.documents.len()]),
        ];
        let mut file = SafeTensorsWriter::create(out, &metadata, &specs)?;
        file.append("segments", bytemuck::cast_slice(&sorted.ends))?;
        for p in 0..N_PARTITIONS {
            file.append("filter", bytemuck::cast_slice(&sorted.filter.take(p)?))?;
        }
        for p in 0..N_PARTITIONS {
            if observer.cancelled() {
                return Err(ovid_io::Error::Cancelled.into());
            }
            file.append("entries", bytemuck::cast_slice(&sorted.entries.take(p)?))?;
            observer.progress(Progress { stage: "writing", done: p as u64, total: Some(N_PARTITIONS as u64), unit: "partitions" });
        }
        file.append("document_starts", bytemuck::cast_slice(&scanned.document_starts))?;
        file.append("documents", &scanned.documents)?;
        file.finish()?;
        let (filter_bytes, exact_bytes) = (filter_words * 8, n_entries * 16);
        Ok(Built {
            path: out.display().to_string(),
            n: self.n,
            n_too_short: scanned.n_too_short,
            text_bytes: scanned.text_bytes,
            filter_bytes,
            exact_bytes,
            bytes_per_distinct: (filter_bytes + exact_bytes) as f64 / sorted.distinct as f64,
            n_probes: design.n_probes,
            spilled_bytes: scanned.spilled_bytes() + sorted.entries.disk_bytes() + sorted.filter.disk_bytes(),
            left_out: scanned.left_out.clone(),
            index: summary.index,
        })
    }
}

/// What one partition becomes.
struct Part {
    entries: Vec<Record>,
    filter: Vec<u64>,
    /// For each of its segments: words of the filter, and entries.
    segments: Vec<[u64; 2]>,
    distinct: u64,
    /// The sum of its segments' rates of false positives.
    rates: f64,
}

impl Part {
    fn new(blocks: &[Vec<Record>], n_segments: usize, design: &Design) -> Self {
        let entries = sort(blocks);
        let mut hashes: Vec<u64> = entries.iter().map(|e| e.hash).collect();
        hashes.dedup();
        let mut part = Self { entries: Vec::new(), filter: Vec::new(), segments: Vec::new(), distinct: hashes.len() as u64, rates: 0.0 };
        let segment_of = |hash: u64| crate::index::segment_of(hash, n_segments);
        let first = hashes.first().map_or(0, |&h| segment_of(h) / (n_segments / N_PARTITIONS)) * (n_segments / N_PARTITIONS);
        let (mut h, mut e) = (0, 0);
        for segment in first..first + n_segments / N_PARTITIONS {
            let n = hashes[h..].partition_point(|&hash| segment_of(hash) == segment);
            let n_entries = entries[e..].partition_point(|entry| segment_of(entry.hash) == segment);
            let words = design.segment(hashes[h..h + n].iter().copied(), n);
            part.rates += Segment { words: &words, n_probes: design.n_probes }.false_positive_rate();
            part.segments.push([words.len() as u64, n_entries as u64]);
            part.filter.extend(words);
            (h, e) = (h + n, e + n_entries);
        }
        Self { entries, ..part }
    }
}

/// The records of a partition in rising order. Hashes are spread evenly: their next bits put each record almost where it belongs, and what is left to sort are a few
/// records in each place. Half the time of a comparison sort over all.
fn sort(blocks: &[Vec<Record>]) -> Vec<Record> {
    let n_records: usize = blocks.iter().map(Vec::len).sum();
    let bits = (n_records / 8).max(1).ilog2().min(14);
    let bucket = |r: &Record| ((r.hash << N_PARTITIONS.trailing_zeros() >> 1) >> (63 - bits)) as usize;
    let mut ends = vec![0_u32; (1 << bits) + 1];
    for record in blocks.iter().flatten() {
        ends[bucket(record) + 1] += 1;
    }
    for b in 0..1 << bits {
        ends[b + 1] += ends[b];
    }
    let mut next = ends.clone();
    let mut sorted = vec![Record { hash: 0, position: 0 }; n_records];
    for record in blocks.iter().flatten() {
        let at = &mut next[bucket(record)];
        sorted[*at as usize] = *record;
        *at += 1;
    }
    for place in ends.windows(2) {
        sorted[place[0] as usize..place[1] as usize].sort_unstable();
    }
    sorted
}

/// All partitions after sorting.
struct Sorted {
    entries: Blocks<Record>,
    filter: Blocks<u64>,
    /// Where each segment begins in filter and entries, and where the last ends.
    ends: Vec<[u64; 2]>,
    distinct: u64,
    rates: f64,
}

impl Sorted {
    fn new(folder: &Path, memory_bytes: usize, n_segments: usize) -> Self {
        let mut ends = Vec::with_capacity(n_segments + 1);
        ends.push([0, 0]);
        let (entries, filter) = (Blocks::new(folder, memory_bytes / 2), Blocks::new(folder, memory_bytes / 4));
        Self { entries, filter, ends, distinct: 0, rates: 0.0 }
    }

    fn push(&mut self, part: Part) -> Result<(), ovid_io::Error> {
        for [words, entries] in part.segments {
            let [w, e] = self.ends[self.ends.len() - 1];
            self.ends.push([w + words, e + entries]);
        }
        self.distinct += part.distinct;
        self.rates += part.rates;
        self.filter.push(part.filter)?;
        self.entries.push(part.entries).map(drop)
    }
}
