//! The overlap report: how much of each set of documents stands in the training corpus.
//!
//! A folder with `report.json` ([`OverlapReport`]), `documents.csv` (a line a document), `overlap.svg` and `overlap.csv` (the figure and its numbers) and
//! `report.html` (the documents with the greatest overlap, what was copied in colour, each piece linked to the training passage).

mod compare;
mod figure;
mod form;
mod html;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ovid_io::Observer;
use ovid_io::atomic::{IfExists, write_atomic, write_folder};

use crate::{Ask, Error, Index, Measured, Set, Words, measure, passages, random_strings};
pub use compare::compare;
pub use figure::figure;
pub use form::{
    Comparison, CopiedSpan, FORMAT, Figures, IndexSummary, Interval, ModelId, OverlapReport, RandomStrings, SetFile, SetSummary,
    WorstDocument,
};

/// How a report is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many documents of each set are shown with what they copied.
    pub n_worst: usize,
    /// The seed of the bootstrap and of the random strings.
    pub seed: u64,
    /// Threads; 0 for as many as the machine has.
    pub threads: usize,
    /// Where training files are looked for that do not lie any more where they were indexed.
    pub train_folder: Option<PathBuf>,
    /// What becomes of a report that is there already.
    pub if_exists: IfExists,
}

impl Default for Options {
    fn default() -> Self {
        Self { n_worst: 10, seed: 0, threads: 0, train_folder: None, if_exists: IfExists::Refuse }
    }
}

/// As many random strings as the paper tried.
const N_RANDOM_STRINGS: u64 = 1_000_000;

/// Measures every set, holds each against the first, and writes the report's folder.
///
/// # Errors
/// If a set cannot be read or holds nothing to measure, the folder not be written, or the observer cancels.
pub fn write(index: &Index, sets: &[Set], options: &Options, out: &Path, observer: &dyn Observer) -> Result<OverlapReport, Error> {
    // Asked before the long work; asked again when the folder is put in its place.
    if options.if_exists == IfExists::Refuse && std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Exists { path: out.to_owned() });
    }
    let ask = Ask { n_worst: options.n_worst, spans: true, distinct: false, threads: options.threads };
    let mut measured = Vec::with_capacity(sets.len());
    for set in sets {
        let found = measure(index, set, ask, observer)?;
        if found.percentages().is_empty() {
            return Err(Error::Empty { what: format!("the set '{}'", set.name), n: index.n() as u32 });
        }
        measured.push(found);
    }
    let mut report = OverlapReport {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        n: index.n() as u32,
        index: index.summary().clone(),
        random_strings: random_strings(index, N_RANDOM_STRINGS, options.seed),
        sets: Vec::new(),
        comparisons: Vec::new(),
        worst: Vec::new(),
    };
    for (set, found) in sets.iter().zip(&measured) {
        let (files, model) = (set.files(observer)?, found.model.clone());
        report.sets.push(SetSummary { name: set.name.clone(), files, model, figures: found.figures });
    }
    for i in 1..sets.len() {
        report.comparisons.extend(compare((&sets[i].name, &measured[i]), (&sets[0].name, &measured[0]), options.seed));
    }
    let mut pages = Vec::new();
    for (set, found) in sets.iter().zip(&measured) {
        for worst in &found.worst {
            let passages = passages(index, &worst.spans, options.train_folder.as_deref());
            let words = Words::of(&worst.document.text);
            let spans =
                worst.spans.iter().zip(&passages).map(|(span, passage)| form::span(index, &words, span, passage.as_ref())).collect();
            report.worst.push(WorstDocument {
                set: set.name.clone(),
                source: worst.document.source.clone(),
                id: worst.document.id.clone(),
                overlap_percent: worst.overlap_percent,
                spans,
            });
            pages.push((worst, passages));
        }
    }
    let chart = figure(index.n(), sets.iter().map(|s| s.name.as_str()).zip(&measured));
    write_folder(out, options.if_exists, |folder| {
        let save = |name: &str, text: String| write_atomic(&folder.join(name), |file| file.write_all(text.as_bytes()));
        chart.write(&folder.join("overlap"))?;
        save("documents.csv", documents(sets, &measured))?;
        save("report.html", html::page(&report, &pages, &chart.svg()?))?;
        let json = serde_json::to_string_pretty(&report)
            .map_err(|e| ovid_io::Error::unwritable(&folder.join("report.json"), ovid_io::Place::Whole, e.to_string()))?;
        save("report.json", json + "\n")?;
        Ok::<(), Error>(())
    })?;
    Ok(report)
}

/// Every document's numbers as CSV.
fn documents(sets: &[Set], measured: &[Measured]) -> String {
    let field =
        |text: &str| if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() };
    let mut text = "set,source,id,words,n_grams,hits,overlap_percent\n".to_owned();
    for (set, found) in sets.iter().zip(measured) {
        for d in &found.documents {
            let percent = d.overlap_percent.map_or_else(String::new, |p| p.to_string());
            let names = [&set.name, &d.source, &d.id].map(|name| field(name)).join(",");
            writeln!(text, "{names},{},{},{},{percent}", d.n_words, d.n_grams, d.hits).expect("writing to a String cannot fail");
        }
    }
    text
}
