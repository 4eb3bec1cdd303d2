//! The article extraction benchmark of Scrapinghub (Zyte): saved pages and what a person took as their text.
//!
//! A text counts by its shingles, runs of four words (`\w+` as Python has it: letters, numbers, marks left out, and the underscore); a page's shingles found, wrong and missed are divided
//! by their sum, so that long pages weigh no more. Precision and recall are means over the pages, F1 is their harmonic mean.

use std::collections::HashMap;
use std::path::Path;

use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use super::{Focus, Settings, Workers, run};
use crate::read::{Limits, Records};
use crate::{Error, Outcome};

/// How well one page's text was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageScore {
    /// The page's name.
    pub id: String,
    /// Its address.
    pub url: String,
    /// Share of the shingles found that are right; absent where nothing was found.
    pub precision: Option<f64>,
    /// Share of the right shingles that were found.
    pub recall: Option<f64>,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Why nothing was found, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
}

/// The means over pages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Mean precision of the pages in which anything was found.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

/// One run over the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Benchmark {
    /// How text was taken out.
    pub settings: Settings,
    /// Over all pages.
    pub overall: Scores,
    /// Page by page, in the order of their names.
    pub pages: Vec<PageScore>,
}

/// The settings chosen on all folds but one, and measured on that one, for each fold in turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossValidation {
    /// How many folds.
    pub n_folds: usize,
    /// Which settings were chosen for each fold's pages, without a look at them.
    pub chosen: Vec<Settings>,
    /// Over all pages, each with the settings that the other folds chose.
    pub overall: Scores,
    /// Each of the settings over all pages.
    pub candidates: Vec<(Settings, Scores)>,
}

#[derive(Deserialize)]
struct Truth {
    #[serde(rename = "articleBody")]
    text: String,
    #[serde(default)]
    url: String,
}

/// Takes the text out of the benchmark's pages (`DIR/html/*.html.gz`) and holds it against `DIR/ground-truth.json`.
///
/// # Errors
/// If the folder is not the benchmark, a worker cannot be started, or the observer cancels.
pub fn benchmark(folder: &Path, workers: &Workers, observer: &dyn Observer) -> Result<Benchmark, Error> {
    let path = folder.join("ground-truth.json");
    let bytes = std::fs::read(&path).map_err(|cause| ovid_io::Error::io(&path, "read", cause))?;
    let truths: HashMap<String, Truth> = serde_json::from_slice(&bytes).map_err(|cause| Error::data(&path, cause.to_string()))?;
    let records = Records::open(&[folder.join("html")], Limits::default())?;
    let mut pages = Vec::with_capacity(truths.len());
    run(records, workers, observer, |outcome| {
        let (id, text, dropped) = match outcome {
            Outcome::Kept(document) => (document.id, document.text, None),
            Outcome::Dropped(row) => (row.id, String::new(), Some(row.reason)),
        };
        let id = id.split('.').next().unwrap_or_default().to_owned();
        if let Some(truth) = truths.get(&id) {
            pages.push(PageScore::new(id, truth, &text, dropped));
        }
        observer.progress(Progress { stage: "extracting", done: pages.len() as u64, total: Some(truths.len() as u64), unit: "pages" });
        Ok(())
    })?;
    if pages.len() < truths.len() {
        return Err(Error::data(&folder.join("html"), format!("{} of the {} pages are here", pages.len(), truths.len())));
    }
    Ok(Benchmark { settings: workers.settings, overall: Scores::of(pages.iter()), pages })
}

/// Ten-fold (or other) cross-validation of the choice among all settings. Page i in the order of names belongs to fold i modulo `n_folds`.
///
/// # Errors
/// Those of [`benchmark`].
pub fn cross_validate(folder: &Path, workers: &Workers, n_folds: usize, observer: &dyn Observer) -> Result<CrossValidation, Error> {
    let all = Focus::ALL.iter().flat_map(|&focus| [true, false].map(|fallback| Settings { focus, fallback }));
    let runs = all.map(|settings| benchmark(folder, &Workers { settings, ..workers.clone() }, observer)).collect::<Result<Vec<_>, _>>()?;
    let in_fold = |run: &Benchmark, fold, inside| {
        let pages = run.pages.iter().enumerate().filter(move |(i, _)| (i % n_folds == fold) == inside).map(|(_, page)| page.clone());
        pages.collect::<Vec<_>>()
    };
    let (mut chosen, mut pages) = (Vec::new(), Vec::new());
    for fold in 0..n_folds {
        let on_the_others = |run: &&Benchmark| Scores::of(in_fold(run, fold, false).iter()).f1;
        let best = runs.iter().max_by(|a, b| on_the_others(a).total_cmp(&on_the_others(b)));
        if let Some(best) = best {
            chosen.push(best.settings);
            pages.extend(in_fold(best, fold, true));
        }
    }
    let candidates = runs.iter().map(|run| (run.settings, run.overall)).collect();
    Ok(CrossValidation { n_folds, chosen, overall: Scores::of(pages.iter()), candidates })
}

impl PageScore {
    fn new(id: String, truth: &Truth, text: &str, dropped: Option<String>) -> Self {
        let (right, found) = (shingles(&truth.text), shingles(text));
        let n_right: u64 = right.values().sum();
        let n_found: u64 = found.values().sum();
        let both: u64 = right.iter().map(|(shingle, n)| *n.min(found.get(shingle).unwrap_or(&0))).sum();
        let share = |of: u64| (of > 0).then(|| both as f64 / of as f64);
        let f1 = if n_right + n_found == 0 { 1.0 } else { 2.0 * both as f64 / (n_right + n_found) as f64 };
        Self { id, url: truth.url.clone(), precision: share(n_found), recall: share(n_right), f1, dropped }
    }
}

impl Scores {
    fn of<'a>(pages: impl Iterator<Item = &'a PageScore> + Clone) -> Self {
        let precision = mean(pages.clone().filter_map(|page| page.precision));
        let recall = mean(pages.filter_map(|page| page.recall));
        let f1 = if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        Self { precision, recall, f1 }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0u64, 0.0), |(n, sum), value| (n + 1, sum + value));
    if n == 0 { 0.0 } else { sum / n as f64 }
}

/// How often each run of four words occurs; a text of fewer words is one shingle.
fn shingles(text: &str) -> HashMap<Vec<&str>, u64> {
    let words: Vec<&str> = text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).collect();
    let mut counts = HashMap::new();
    if words.len() < 4 && !words.is_empty() {
        counts.insert(words.clone(), 1);
    }
    for run in words.windows(4) {
        *counts.entry(run.to_vec()).or_insert(0) += 1;
    }
    counts
}

/// Python's `\w`: Rust counts vowel signs and circled letters as alphabetic, Python does not.
fn is_word(c: char) -> bool {
    let circled = matches!(c, '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F149}' | '\u{1F150}'..='\u{1F169}' | '\u{1F170}'..='\u{1F189}');
    c == '_' || (c.is_alphanumeric() && !is_combining_mark(c) && !circled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(right: &str, found: &str) -> (Option<f64>, Option<f64>, f64) {
        let page = PageScore::new("a".into(), &Truth { text: right.into(), url: String::new() }, found, None);
        (page.precision, page.recall, page.f1)
    }

    #[test]
    fn shingles_are_counted_as_the_benchmark_does() {
        assert_eq!(score("a b c d e", "a, b; c d e!"), (Some(1.0), Some(1.0), 1.0));
        // Of `a b c d` and `b c d e` the first is found, and `b c d x` is wrong.
        assert_eq!(score("a b c d e", "a b c d x"), (Some(0.5), Some(0.5), 0.5));
        assert_eq!(score("a b", "a b"), (Some(1.0), Some(1.0), 1.0));
        assert_eq!(score("a b c d", ""), (None, Some(0.0), 0.0));
        // Twice found, once right.
        assert_eq!(score("a a a a", "a a a a a"), (Some(0.5), Some(1.0), 2.0 / 3.0));
        assert_eq!(score("snake_case it's ½ ٣", "snake_case it s ½ ٣"), (Some(1.0), Some(1.0), 1.0));
    }

    #[test]
    fn means_are_over_pages_and_f1_over_means() {
        let page = |precision, recall| PageScore { id: String::new(), url: String::new(), precision, recall, f1: 0.0, dropped: None };
        let pages = [page(Some(1.0), Some(0.5)), page(None, Some(0.0)), page(Some(0.5), Some(1.0))];
        assert_eq!(Scores::of(pages.iter()), Scores { precision: 0.75, recall: 0.5, f1: 0.6 });
    }
}
