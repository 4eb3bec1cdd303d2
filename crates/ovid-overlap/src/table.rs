//! Table 6 of the paper, and evaluation sets without what stands in the training text.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;

use ovid_io::atomic::AtomicFile;
use ovid_io::documents::{Form, Lines, list};
use serde::{Deserialize, Serialize};

use crate::{Error, Index, Measured, Set};

/// One cell of the table, as `ovid overlap table --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// The test set.
    pub set: String,
    /// Its n-grams, each as often as it occurs.
    pub n_grams: u64,
    /// Its different n-grams.
    pub distinct: u64,
    /// Its n-grams that stand in the index, each as often as it occurs.
    pub hits: u64,
    /// `hits` of a hundred `n_grams`; null where there are none.
    pub overlap_percent: Option<f64>,
    /// The index.
    pub index: String,
    /// Words in an n-gram.
    pub n: u32,
    /// Documents of the set.
    pub n_documents: u64,
    /// Documents with an n-gram in the index.
    pub n_overlapping: u64,
}

impl TableRow {
    /// What was measured of a set, as a cell.
    pub fn new(index: &Index, set: &str, measured: &Measured) -> Self {
        let figures = &measured.figures;
        Self {
            set: set.to_owned(),
            n_grams: figures.n_grams,
            distinct: measured.distinct.unwrap_or_default(),
            hits: figures.hits,
            overlap_percent: figures.overlap_percent,
            index: index.path().display().to_string(),
            n: index.n() as u32,
            n_documents: figures.n_documents,
            n_overlapping: measured.documents.iter().filter(|d| d.hits > 0).count() as u64,
        }
    }
}

/// What `--clean` kept and dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleaned {
    /// The set.
    pub set: String,
    /// The file written.
    pub out: String,
    /// How many of a hundred of a document's n-grams were allowed to stand in the index.
    pub most_percent: f64,
    /// Documents written.
    pub n_kept: u64,
    /// Documents with more overlap than allowed.
    pub n_dropped: u64,
}

/// Writes the documents of a measured set whose overlap is at most `most_percent` to `out`, each as its file has it: JSON lines as they are, texts as they are.
///
/// # Errors
/// If a file cannot be read again or `out` not be written; compressed output is not written.
pub fn clean(set: &Set, measured: &Measured, most_percent: f64, out: &Path) -> Result<Cleaned, Error> {
    if out.extension().is_some_and(|e| e == "zst" || e == "gz") {
        return Err(Error::Setting {
            name: "the clean set's name",
            value: out.display().to_string(),
            must: "that of a file without compression",
        });
    }
    let dropped: HashSet<(&str, u64)> = measured
        .documents
        .iter()
        .filter(|d| d.overlap_percent.is_some_and(|p| p > most_percent))
        .map(|d| (d.file.as_str(), d.line))
        .collect();
    let mut file = AtomicFile::create(out)?;
    let refuse = |cause| ovid_io::Error::io(out, "write", cause);
    let (n_dropped, out_name) = (dropped.len() as u64, out.display().to_string());
    let mut cleaned = Cleaned { set: set.name.clone(), out: out_name, most_percent, n_kept: 0, n_dropped };
    for path in list(&set.paths)? {
        let name = path.display().to_string();
        if Form::of(&path) == Form::Text && !set.read.by_line {
            if !dropped.contains(&(name.as_str(), 1)) {
                let whole = Set { paths: vec![path], ..set.clone() };
                for document in whole.documents()? {
                    file.write_all(document?.text.as_bytes()).map_err(refuse)?;
                    cleaned.n_kept += 1;
                }
            }
            continue;
        }
        let mut lines = Lines::open(&path, set.read.limits)?;
        loop {
            let number = lines.line() + 1;
            let Some(line) = lines.next_line()? else { break };
            let blank = Form::of(&path) == Form::JsonLines && line.iter().all(u8::is_ascii_whitespace);
            if blank || dropped.contains(&(name.as_str(), number)) {
                continue;
            }
            file.write_all(line).and_then(|()| file.write_all(b"\n")).map_err(refuse)?;
            cleaned.n_kept += 1;
        }
    }
    file.commit()?;
    Ok(cleaned)
}
