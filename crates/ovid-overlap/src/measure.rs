//! A set held against an index: how much of each document, and of all together, stands in the corpus.

use std::sync::Mutex;

use ovid_io::{Observer, Progress};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::query::{Hit, pool};
use crate::report::{Figures, ModelId};
use crate::spans::{Span, spans};
use crate::{Error, Index, Set, SetDocument, Words};

/// What is asked of a set beside the numbers of hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// How many of the documents with the greatest overlap are kept, with their spans.
    pub n_worst: usize,
    /// Whether the longest span is looked for.
    pub spans: bool,
    /// Whether distinct n-grams are counted; takes 8 bytes of memory for each n-gram of the set.
    pub distinct: bool,
    /// Threads; 0 for as many as the machine has.
    pub threads: usize,
}

/// One document's overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentOverlap {
    /// The collection that it belongs to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// Words.
    pub n_words: u64,
    /// N-grams.
    pub n_grams: u64,
    /// Those of them that stand in the corpus.
    pub hits: u64,
    /// `hits` of a hundred `n_grams`; null where the document is too short to have any.
    pub overlap_percent: Option<f64>,
}

/// A document with much overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// The document.
    pub document: SetDocument,
    /// How many of a hundred of its n-grams stand in the corpus.
    pub overlap_percent: f64,
    /// What was copied.
    pub spans: Vec<Span>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// All documents together.
    pub figures: Figures,
    /// Each document, in the set's order.
    pub documents: Vec<DocumentOverlap>,
    /// Different n-grams in the set, where asked for.
    pub distinct: Option<u64>,
    /// The model that wrote them, where the lines say so.
    pub model: Option<ModelId>,
    /// Those with the greatest overlap, greatest first, as many as asked for.
    pub worst: Vec<Worst>,
}

impl Measured {
    /// The percentages of the documents that have one.
    pub fn percentages(&self) -> Vec<f64> {
        self.documents.iter().filter_map(|d| d.overlap_percent).collect()
    }
}

/// Text read before it is worked on, for each thread.
const BATCH_BYTES: usize = 16 << 20;

/// Holds every document of a set against the index.
///
/// # Errors
/// If a document cannot be read, two of them name different models, or the observer cancels.
pub fn measure(index: &Index, set: &Set, ask: Ask, observer: &dyn Observer) -> Result<Measured, Error> {
    let pool = pool(ask.threads)?;
    let n_threads = pool.current_num_threads();
    let mut documents = set.documents()?;
    let mut measured = Measured::default();
    let mut hashes = Vec::new();
    let mut n_bytes = 0;
    let mut batch = next_batch(&mut documents, BATCH_BYTES * n_threads)?;
    while !batch.is_empty() {
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        // While this batch is worked on, one thread reads the next.
        let documents = Mutex::new(&mut documents);
        let read = || documents.lock().map_or_else(|_| Ok(Vec::new()), |mut d| next_batch(&mut **d, BATCH_BYTES * n_threads));
        let work = || {
            let share = batch.len().div_ceil(n_threads).max(1);
            batch.par_chunks(share).map(|part| look(index, part, ask)).collect::<Vec<_>>()
        };
        let (next, parts) = pool.install(|| rayon::join(read, work));
        let mut looks = Vec::new();
        for part in parts {
            hashes.extend(part.hashes);
            looks.extend(part.looks);
        }
        for (document, look) in batch.into_iter().zip(looks) {
            n_bytes += document.text.len() as u64;
            measured.take(document, look, ask.n_worst)?;
        }
        observer.progress(Progress { stage: "looking up", done: n_bytes, total: None, unit: "bytes" });
        batch = next?;
    }
    measured.sum_up();
    for worst in &mut measured.worst {
        worst.spans = spans(index, &Words::of(&worst.document.text));
    }
    if ask.distinct {
        hashes.sort_unstable();
        hashes.dedup();
        measured.distinct = Some(hashes.len() as u64);
    }
    Ok(measured)
}

fn next_batch(documents: &mut impl Iterator<Item = Result<SetDocument, Error>>, n_bytes: usize) -> Result<Vec<SetDocument>, Error> {
    let (mut batch, mut room) = (Vec::new(), n_bytes);
    while room > 0
        && let Some(document) = documents.next()
    {
        let document = document?;
        room = room.saturating_sub(document.text.len().max(1));
        batch.push(document);
    }
    Ok(batch)
}

/// What the index says of some documents.
struct Part {
    looks: Vec<Look>,
    /// Where distinct ones are to be counted.
    hashes: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Look {
    n_words: u64,
    n_grams: u64,
    hits: u64,
    false_positives: u64,
    longest: u64,
}

fn look(index: &Index, documents: &[SetDocument], ask: Ask) -> Part {
    let mut hashes = Vec::new();
    let mut words = Words::default();
    let mut looks = Vec::with_capacity(documents.len());
    for document in documents {
        words.read(&document.text);
        let before = hashes.len();
        hashes.extend(words.hashes(index.n()));
        looks.push(Look { n_words: words.len() as u64, n_grams: (hashes.len() - before) as u64, ..Look::default() });
    }
    let mut hits = index.look_up(&hashes).into_iter();
    for look in &mut looks {
        for hit in hits.by_ref().take(look.n_grams as usize) {
            look.hits += u64::from(hit == Hit::Present);
            look.false_positives += u64::from(hit == Hit::FalsePositive);
        }
    }
    if ask.spans {
        for (look, document) in looks.iter_mut().zip(documents).filter(|(look, _)| look.hits > 0) {
            words.read(&document.text);
            look.longest = spans(index, &words).iter().map(|s| s.n_words as u64).max().unwrap_or(0);
        }
    }
    Part { looks, hashes: if ask.distinct { hashes } else { Vec::new() } }
}

/// How many of a hundred; `None` of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

impl Measured {
    fn take(&mut self, document: SetDocument, look: Look, n_worst: usize) -> Result<(), Error> {
        if let Some(model) = &document.model {
            match &self.model {
                Some(first) if first.sha256 != model.sha256 => {
                    let (first, second) = (first.sha256.clone(), model.sha256.clone());
                    return Err(Error::TwoModels { path: document.file, line: document.line, first, second });
                }
                _ => self.model = Some(model.clone()),
            }
        }
        let figures = &mut self.figures;
        figures.n_documents += 1;
        figures.n_too_short += u64::from(look.n_grams == 0);
        figures.n_grams += look.n_grams;
        figures.hits += look.hits;
        figures.filter_false_positives += look.false_positives;
        figures.longest_span_words = figures.longest_span_words.max(look.longest);
        let overlap_percent = percent(look.hits, look.n_grams);
        self.documents.push(DocumentOverlap {
            source: document.source.clone(),
            id: document.id.clone(),
            file: document.file.display().to_string(),
            line: document.line,
            n_words: look.n_words,
            n_grams: look.n_grams,
            hits: look.hits,
            overlap_percent,
        });
        if let Some(overlap_percent) = overlap_percent.filter(|p| *p > 0.0) {
            // Of equals the earlier one stays first.
            let at = self.worst.partition_point(|w| w.overlap_percent >= overlap_percent);
            if at < n_worst {
                self.worst.insert(at, Worst { document, overlap_percent, spans: Vec::new() });
                self.worst.truncate(n_worst);
            }
        }
        Ok(())
    }

    fn sum_up(&mut self) {
        let percentages = self.percentages();
        let none = percentages.iter().filter(|p| **p == 0.0).count() as u64;
        self.figures = Figures {
            overlap_percent: percent(self.figures.hits, self.figures.n_grams),
            median_percent: ovid_stats::median(&percentages),
            mean_percent: ovid_stats::mean(&percentages),
            none_percent: percent(none, percentages.len() as u64),
            ..self.figures
        };
    }
}
