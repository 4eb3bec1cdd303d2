//! What a built corpus holds: domains, lengths, languages, sources, and what was left out by which cause.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use ovid_figures::{BarChart, LineChart, Scale, Series};
use ovid_io::Observer;
use serde::{Deserialize, Serialize};

use crate::build::{BUILD, Build, parts_of, read_part};
use crate::config::{Config, StageRule};
use crate::files::{make_folder, read_json};
use crate::{Error, web};

/// Domains in the table, as in OpenAI's list of `WebText`'s.
pub const N_DOMAINS: usize = 1000;

/// The report; what `ovid corpus report --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Documents.
    pub n_documents: u64,
    /// Bytes of their texts.
    pub n_bytes: u64,
    /// The domains with most documents, at most 1,000, most first.
    pub domains: Vec<Count>,
    /// How many domains there are in all.
    pub n_domains: u64,
    /// Documents by language; `-` where it was not asked.
    pub languages: Vec<Count>,
    /// Documents by source.
    pub sources: Vec<Count>,
    /// Lengths in bytes at 0, 1, 5, 10, 25, 50, 75, 90, 95, 99 and 100 percent of the documents.
    pub length_percentiles: Vec<(f64, u64)>,
    /// Documents by length: from so many bytes to twice as many.
    pub lengths: Vec<(u64, u64)>,
    /// What was left out.
    pub drops: Vec<Drop>,
}

/// Documents that have something in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How many.
    pub n_documents: u64,
    /// Bytes of their texts.
    pub n_bytes: u64,
}

/// Documents that one rule left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The stage.
    pub stage: String,
    /// The rule or reason.
    pub reason: String,
    /// The threshold, where it has one.
    pub threshold: String,
    /// How many; 0 for a rule that left out nothing.
    pub n_documents: u64,
}

const PERCENTS: [f64; 11] = [0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0];

/// Reads a built corpus and reports on it.
///
/// # Errors
/// If the folder holds no finished corpus or cannot be read, or the observer cancels.
pub fn report(folder: &Path, observer: &dyn Observer) -> Result<Report, Error> {
    let build: Build =
        read_json(&folder.join(BUILD))?.ok_or_else(|| Error::data(folder, format!("holds no finished corpus: there is no {BUILD}")))?;
    let config = Config::load(&folder.join(crate::build::CONFIG))?;
    let mut tallies = [Tally::default(), Tally::default(), Tally::default()];
    let mut lengths: BTreeMap<u64, u64> = BTreeMap::new();
    let mut report = Report::default();
    for part in parts_of(folder)? {
        for document in read_part(&part.path)? {
            let document = document?;
            let n_bytes = document.text.len() as u64;
            let domain = document.url.as_deref().and_then(web::host).unwrap_or_else(|| "-".to_owned());
            let language = document.language.unwrap_or_else(|| "-".to_owned());
            for (tally, name) in tallies.iter_mut().zip([domain, language, document.source]) {
                tally.add(name, n_bytes);
            }
            // Rounded to 1 part in 128, so that the table stays small whatever the corpus.
            *lengths.entry(rounded(n_bytes)).or_default() += 1;
            report.n_documents += 1;
            report.n_bytes += n_bytes;
            if observer.cancelled() {
                return Err(ovid_io::Error::Cancelled.into());
            }
        }
    }
    let [domains, languages, sources] = tallies;
    report.n_domains = domains.0.len() as u64;
    report.domains = domains.most(N_DOMAINS);
    report.languages = languages.most(usize::MAX);
    report.sources = sources.most(usize::MAX);
    report.length_percentiles = PERCENTS.map(|p| (p, percentile(&lengths, report.n_documents, p))).to_vec();
    let mut doubling: BTreeMap<u64, u64> = BTreeMap::new();
    for (length, n) in &lengths {
        *doubling.entry(length.checked_ilog2().map_or(0, |log| 1 << log)).or_default() += n;
    }
    report.lengths = doubling.into_iter().collect();
    report.drops = drops(&build, &config);
    Ok(report)
}

#[derive(Default)]
struct Tally(HashMap<String, (u64, u64)>);

impl Tally {
    fn add(&mut self, name: String, n_bytes: u64) {
        let (n, bytes) = self.0.entry(name).or_default();
        *n += 1;
        *bytes += n_bytes;
    }

    fn most(self, n: usize) -> Vec<Count> {
        let mut all: Vec<Count> = self.0.into_iter().map(|(name, (n_documents, n_bytes))| Count { name, n_documents, n_bytes }).collect();
        all.sort_by(|a, b| b.n_documents.cmp(&a.n_documents).then_with(|| a.name.cmp(&b.name)));
        all.truncate(n);
        all
    }
}

fn rounded(length: u64) -> u64 {
    let shift = length.checked_ilog2().unwrap_or_default().saturating_sub(7);
    length >> shift << shift
}

/// The least length that so many percent of the documents do not exceed.
fn percentile(lengths: &BTreeMap<u64, u64>, n: u64, percent: f64) -> u64 {
    let wanted = (percent / 100.0 * n as f64).ceil().max(1.0) as u64;
    let mut so_far = 0;
    for (length, count) in lengths {
        so_far += count;
        if so_far >= wanted {
            return *length;
        }
    }
    0
}

/// Every reason with its count, and those rules of `quality` that left out nothing, with their thresholds.
fn drops(build: &Build, config: &Config) -> Vec<Drop> {
    let mut drops = Vec::new();
    for counts in &build.stages {
        let rules = config
            .stages
            .iter()
            .find_map(|rule| if let StageRule::Quality(q) = rule { (counts.stage == "quality").then(|| q.rules()) } else { None });
        for (reason, threshold) in rules.iter().flatten() {
            let n_documents = counts.dropped.get(*reason).copied().unwrap_or_default();
            drops.push(Drop { stage: counts.stage.clone(), reason: (*reason).to_owned(), threshold: threshold.clone(), n_documents });
        }
        let others = counts.dropped.iter().filter(|(reason, _)| !rules.iter().flatten().any(|(rule, _)| rule == reason));
        drops.extend(others.map(|(reason, n)| Drop {
            stage: counts.stage.clone(),
            reason: reason.clone(),
            threshold: String::new(),
            n_documents: *n,
        }));
    }
    drops
}

impl Report {
    /// Writes `domains.csv`, `lengths.csv`, `languages.csv`, `sources.csv`, `drops.csv`, and figures of lengths, domains and drops.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        make_folder(folder)?;
        for (name, what, counts) in
            [("domains", "domain", &self.domains), ("languages", "language", &self.languages), ("sources", "source", &self.sources)]
        {
            let mut csv = format!("{what},documents,bytes\n");
            for count in counts {
                let _ = writeln!(csv, "{},{},{}", field(&count.name), count.n_documents, count.n_bytes);
            }
            write_text(&folder.join(format!("{name}.csv")), &csv)?;
        }
        let mut csv = "stage,reason,threshold,documents\n".to_owned();
        for drop in &self.drops {
            let _ = writeln!(csv, "{},{},{},{}", drop.stage, drop.reason, field(&drop.threshold), drop.n_documents);
        }
        write_text(&folder.join("drops.csv"), &csv)?;
        let points = |points: &[(u64, u64)]| points.iter().map(|(x, y)| ((*x).max(1) as f64, *y as f64)).collect::<Vec<_>>();
        if !self.lengths.is_empty() {
            LineChart::new("lengths", "bytes of a document, from here to twice as many", "documents")
                .scales(Scale::Log, Scale::Linear)
                .with(Series::new("documents", points(&self.lengths)))
                .write(&folder.join("lengths"))?;
            let ranked: Vec<(u64, u64)> = self.domains.iter().enumerate().map(|(i, d)| (i as u64 + 1, d.n_documents)).collect();
            LineChart::new("domains", "rank of the domain", "documents")
                .scales(Scale::Log, Scale::Log)
                .with(Series::new("documents", points(&ranked)))
                .write(&folder.join("domains-by-rank"))?;
        }
        let bars: Vec<&Drop> = self.drops.iter().filter(|drop| drop.n_documents > 0).collect();
        if bars.is_empty() {
            return Ok(());
        }
        let chart = BarChart::new("documents left out, by cause", "cause", "documents");
        let chart = bars.iter().fold(chart, |chart, drop| chart.with(format!("{}: {}", drop.stage, drop.reason), drop.n_documents as f64));
        write_text(&folder.join("drops.svg"), &chart.svg()?)
    }
}

fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    Ok(ovid_io::atomic::write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))?)
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lengths_that_occur() {
        let lengths = BTreeMap::from([(1, 1), (10, 8), (100, 1)]);
        let of = |p| percentile(&lengths, 10, p);
        assert_eq!((of(0.0), of(10.0), of(50.0), of(90.0), of(100.0)), (1, 1, 10, 10, 100));
        assert_eq!((rounded(0), rounded(255), rounded(1001)), (0, 255, 1000));
    }
}
