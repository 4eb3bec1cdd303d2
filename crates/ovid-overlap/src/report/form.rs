//! The serde types of `report.json`. Whoever checks a release reads them: the model's digest stands in [`SetSummary::model`], what was asked of which index in
//! [`OverlapReport::index`], the answer in [`OverlapReport::comparisons`].

use serde::{Deserialize, Serialize};

use crate::{Index, Passage, Span, Words};

/// What [`OverlapReport::format`] says.
pub const FORMAT: &str = "ovid-overlap-report-1";

/// All of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverlapReport {
    /// [`FORMAT`].
    pub format: String,
    /// The version of Ovid that wrote it.
    pub version: String,
    /// Words in an n-gram.
    pub n: u32,
    /// The training corpus.
    pub index: IndexSummary,
    /// The paper's check of its filter, done on this index.
    pub random_strings: RandomStrings,
    /// Every set, the human one first.
    pub sets: Vec<SetSummary>,
    /// Every other set against the first.
    pub comparisons: Vec<Comparison>,
    /// The documents with the greatest overlap, greatest first.
    pub worst: Vec<WorstDocument>,
}

/// Which corpus the sets were held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexSummary {
    /// Names the corpus and how it was indexed: SHA-256 over the texts of its documents, the length of n-grams and the normalisation.
    pub sha256: String,
    /// Which part of the files was indexed: `all`, `train` or `validation`.
    pub split: String,
    /// Documents.
    pub n_documents: u64,
    /// Words.
    pub n_words: u64,
    /// N-grams, each as often as it occurs.
    pub n_grams: u64,
    /// Different n-grams.
    pub distinct: u64,
    /// The filter's rate of false positives, from the bits that are set.
    pub false_positive_rate: f64,
}

/// Random strings looked for in the filter: none should be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomStrings {
    /// How many.
    pub n_tried: u64,
    /// How many the filter held to be there.
    pub n_found: u64,
    /// The seed of the strings.
    pub seed: u64,
}

/// One set of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetSummary {
    /// Its name, as the legend has it: `real`, `samples`, or what the user called it.
    pub name: String,
    /// The files that it was read from.
    pub files: Vec<SetFile>,
    /// The model that wrote it, where its lines say so (as those of `ovid generate --json` do).
    pub model: Option<ModelId>,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The overlap of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Documents.
    pub n_documents: u64,
    /// Documents of fewer than n words, which have no n-gram and no percentage.
    pub n_too_short: u64,
    /// N-grams, each as often as it occurs.
    pub n_grams: u64,
    /// Those of them that stand in the corpus.
    pub hits: u64,
    /// `hits` of a hundred `n_grams`; null where there are none.
    pub overlap_percent: Option<f64>,
    /// The median over documents of each document's percentage.
    pub median_percent: Option<f64>,
    /// The mean over documents.
    pub mean_percent: Option<f64>,
    /// How many of a hundred documents have no n-gram in the corpus.
    pub none_percent: Option<f64>,
    /// The longest run of words that stands in the corpus as it is, over all documents.
    pub longest_span_words: u64,
    /// N-grams that the filter let through and the exact index did not hold.
    pub filter_false_positives: u64,
}

/// A file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetFile {
    /// Where it lay.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// Which model, by name and by content; the same form as in the output of `ovid generate --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelId {
    /// As the user called it.
    pub name: String,
    /// SHA-256 of the file, or of a folder's sorted lines of name and digest.
    pub sha256: String,
}

/// A set held against the human one, document by document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The set.
    pub set: String,
    /// The human one.
    pub against: String,
    /// Whether document i of the one belongs to document i of the other (same number of documents, same `source` and `id` in the same order): then pairs are
    /// drawn together in the bootstrap.
    pub paired: bool,
    /// Mean percentage of the set less that of the human one, in points.
    pub mean_difference: f64,
    /// Its 95% interval: percentile bootstrap over documents.
    pub mean_difference_interval: Interval,
    /// Median percentage of the set less that of the human one, in points.
    pub median_difference: f64,
    /// Its 95% interval: percentile bootstrap over documents.
    pub median_difference_interval: Interval,
    /// The probability that a document of the set has the greater percentage, equals counting a half.
    pub superiority: f64,
    /// Two-sided Mann-Whitney test of `superiority` being 0.5.
    pub p: f64,
}

/// Between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A document with much overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstDocument {
    /// The set that it belongs to.
    pub set: String,
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// How many of a hundred of its n-grams stand in the corpus.
    pub overlap_percent: f64,
    /// The copied spans, in order.
    pub spans: Vec<CopiedSpan>,
}

/// A run of words that stands in the corpus as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedSpan {
    /// First byte in the document.
    pub begin: u64,
    /// The byte after the last.
    pub end: u64,
    /// Words.
    pub n_words: u64,
    /// Training document: its source.
    pub source: String,
    /// Training document: its id.
    pub id: String,
    /// Training document: its file.
    pub file: String,
    /// Training document: its line in the file, from 1.
    pub line: u64,
    /// The first word of the passage there, counted from 0.
    pub word: u64,
    /// How often the span's first n-gram stands in the corpus.
    pub n_places: u64,
    /// Whether the training text was read again and has the same words there; null where its file was not at hand.
    pub same_words: Option<bool>,
}

/// A span with its place in words.
pub(super) fn span(index: &Index, words: &Words, span: &Span, passage: Option<&Passage>) -> CopiedSpan {
    let entry = index.document(span.place.document);
    let (source, id, file, line) = entry.map(|e| (e.source, e.id, e.file, e.line)).unwrap_or_default();
    CopiedSpan {
        begin: words.bytes_of(span.first_word).start as u64,
        end: words.bytes_of(span.first_word + span.n_words - 1).end as u64,
        n_words: span.n_words as u64,
        source,
        id,
        file,
        line,
        word: u64::from(span.place.word),
        n_places: span.n_places as u64,
        same_words: passage.map(|p| p.words == words.slice(span.first_word, span.n_words)),
    }
}
