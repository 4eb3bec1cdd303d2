//! Was this text, a part of it or an edited copy, generated here? Look-up over a ledger.
//!
//! Winnowing (Schleimer, Wilkerson and Aiken 2003) over words: of every 8 runs of 5 words in a row one is kept, so that any 12 words in common with a sample are found for certain,
//! and an edited copy by whatever survived. The kept runs lie sorted in a file beside the ledger; the best candidates are fetched and compared word by word. How often human text
//! overlaps as much is measured, not assumed: [`calibrate`] runs texts that were not generated here through the same look-up.

mod calibration;
mod index;
mod overlap;

use std::path::Path;

use foldhash::{HashMap, HashMapExt as _};
use ovid_io::Observer;
use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, calibrate};
use index::Index;
use overlap::Overlap;

use crate::words::{gram, word_hashes};
use crate::{Error, Ledger};

/// Words in a run.
const RUN: usize = 5;
/// Of so many runs in a row one is kept.
const WINDOW: usize = 8;
/// Words in common from which on a look-up cannot miss.
pub const CERTAIN_WORDS: usize = RUN + WINDOW - 1;
/// Samples compared word by word.
const CANDIDATES: usize = 32;
/// Index entries looked at; the rarest runs come first, so that what is left out says least.
const MOST_POSTINGS: usize = 200_000;
/// Texts longer than this are looked up by their first so many words.
const MOST_WORDS: usize = 20_000;
/// Where nothing was calibrated, a text is called found from this overlap on.
const PLAIN_OVERLAP: f64 = 0.5;

/// A sample that a text has words in common with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The sample's number in the ledger.
    pub sample: u64,
    /// Its prompt.
    pub prompt: String,
    /// Its text.
    pub text: String,
    /// Its seed.
    pub seed: u64,
    /// The model that made it, by name.
    pub model: String,
    /// When it began, in milliseconds since 1970, by the clock of then.
    pub time_ms: u64,
    /// Whether the whole text stands in the sample word for word.
    pub exact: bool,
    /// Words in runs of three or more that both have, over the words of the shorter.
    pub overlap: f64,
    /// The longest run of words that both have.
    pub longest_run: usize,
    /// The share of human texts of this length whose best match overlaps as much or more; null where nothing was calibrated.
    pub false_match_rate: Option<f64>,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The answer: whether the best match is good enough.
    pub found: bool,
    /// By which rule: `false_match_rate <= X`, or `overlap >= X` where nothing was calibrated.
    pub rule: String,
    /// Words of the text.
    pub n_words: usize,
    /// Whether a copy of the whole text could have been missed: it is shorter than 12 words.
    pub may_miss: bool,
    /// Texts in the index, samples cut short included.
    pub n_texts: u64,
    /// Texts that were calibrated with, of this length.
    pub n_calibrated: usize,
    /// The best matches, best first.
    pub matches: Vec<Trace>,
}

/// A ledger with its index and calibration.
pub struct Tracer<'a> {
    ledger: &'a Ledger,
    index: Index,
    calibration: Option<Calibration>,
}

impl<'a> Tracer<'a> {
    /// Opens the index beside a ledger; makes it, or makes it anew, where many samples have come since.
    ///
    /// # Errors
    /// Where the index cannot be read or written, or belongs to another ledger, or the observer cancels.
    pub fn open(ledger: &'a Ledger, observer: &dyn Observer) -> Result<Self, Error> {
        let index = Index::open(ledger, observer)?;
        let calibration = Calibration::read(ledger.path())?;
        Ok(Self { ledger, index, calibration })
    }

    /// Looks a text up; gives at most `n_matches`, and calls it found where its false-match rate is at most `max_false_match`.
    ///
    /// # Errors
    /// Where the text has fewer than 5 words, or the ledger cannot be read.
    pub fn look_up(&self, text: &str, n_matches: usize, max_false_match: f64) -> Result<TraceReport, Error> {
        let mut query = word_hashes(text);
        query.truncate(MOST_WORDS);
        if query.len() < RUN {
            return Err(Error::Asked(format!("the text has {} words; it takes {RUN} to look one up", query.len())));
        }
        let class = self.calibration.as_ref().and_then(|c| c.class(query.len()));
        let mut matches = Vec::new();
        for (sample, overlap) in self.best(&query)?.into_iter().take(n_matches) {
            let Some(found) = self.ledger.sample(sample)? else { continue };
            let text = found.ended.map(|e| e.text).unwrap_or_default();
            matches.push(Trace {
                sample,
                prompt: found.prompt.text,
                text,
                seed: found.seed,
                model: found.run.model.name,
                time_ms: found.time_ms,
                exact: overlap.longest_run == query.len(),
                overlap: overlap.ratio,
                longest_run: overlap.longest_run,
                false_match_rate: class.map(|c| c.false_match_rate(overlap.ratio)),
            });
        }
        let best = matches.first();
        let (found, rule) = match class {
            Some(_) => {
                let found = best.and_then(|m| m.false_match_rate).is_some_and(|rate| rate <= max_false_match);
                (found, format!("false_match_rate <= {max_false_match}"))
            }
            None => (best.is_some_and(|m| m.overlap >= PLAIN_OVERLAP), format!("overlap >= {PLAIN_OVERLAP}")),
        };
        Ok(TraceReport {
            found,
            rule,
            n_words: query.len(),
            may_miss: query.len() < CERTAIN_WORDS,
            n_texts: self.index.n_texts(),
            n_calibrated: class.map_or(0, calibration::Class::len),
            matches,
        })
    }

    /// How much the index and calibration have aged, in words, where it matters.
    pub fn remark(&self) -> Option<String> {
        let calibration = self.calibration.as_ref()?;
        (self.index.n_texts() > calibration.n_texts + calibration.n_texts / 4).then(|| {
            let (then, now) = (calibration.n_texts, self.index.n_texts());
            format!("calibrated with {then} texts in the ledger, which now holds {now}: false-match rates are too low; calibrate again")
        })
    }

    /// The samples that overlap most, best first.
    fn best(&self, query: &[u64]) -> Result<Vec<(u64, Overlap)>, Error> {
        let mut runs: Vec<u32> = query.windows(RUN).map(|run| gram(run) as u32).collect();
        runs.sort_unstable();
        runs.dedup();
        let mut lists: Vec<_> = runs.iter().map(|&run| self.index.postings(run)).filter(|l| l.len() > 0).collect();
        lists.sort_by_key(index::Postings::len);
        let mut hits: HashMap<u32, u32> = HashMap::new();
        let mut budget = MOST_POSTINGS;
        for list in lists {
            for sample in list.samples().take(budget) {
                *hits.entry(sample).or_default() += 1;
                budget -= 1;
            }
        }
        let mut hits: Vec<_> = hits.into_iter().collect();
        hits.sort_by_key(|&(sample, n)| (std::cmp::Reverse(n), sample));
        hits.truncate(CANDIDATES);
        let mut best = Vec::new();
        for (sample, _) in hits {
            let Some(text) = self.ledger.text_of(u64::from(sample))? else { continue };
            best.push((u64::from(sample), Overlap::of(query, &word_hashes(&text))));
        }
        best.sort_by(|a, b| b.1.ratio.total_cmp(&a.1.ratio).then(b.1.longest_run.cmp(&a.1.longest_run)).then(a.0.cmp(&b.0)));
        Ok(best)
    }
}

/// The file beside a ledger with this ending.
fn beside(ledger: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The kept runs of a text: of every [`WINDOW`] in a row the smallest, the last among equals.
fn kept_runs(words: &[u64], mut keep: impl FnMut(u32)) {
    let runs: Vec<u32> = words.windows(RUN).map(|run| gram(run) as u32).collect();
    if runs.is_empty() {
        return;
    }
    let mut last = None;
    for start in 0..=runs.len().saturating_sub(WINDOW) {
        let window = &runs[start..(start + WINDOW).min(runs.len())];
        let least = window.iter().enumerate().min_by_key(|&(i, run)| (run, std::cmp::Reverse(i))).map(|(i, _)| start + i);
        if least != last {
            last = least;
            if let Some(i) = least {
                keep(runs[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_twelve_words_in_common_share_a_kept_run(
            a in prop::collection::vec(0u64..1000, 0..40),
            b in prop::collection::vec(0u64..1000, 0..40),
            common in prop::collection::vec(0u64..1000, CERTAIN_WORDS..30),
        ) {
            let text = [a, common.clone(), b].concat();
            let mut kept = Vec::new();
            kept_runs(&text, |run| kept.push(run));
            prop_assert!(common.windows(RUN).any(|run| kept.contains(&(gram(run) as u32))));
        }
    }
}
