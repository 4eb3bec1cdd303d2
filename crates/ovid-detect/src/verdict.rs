//! What `ovid detect` says of one text.

use std::collections::BTreeMap;

use ovid_stats::Interval;
use serde::{Deserialize, Serialize};

use crate::{Calibration, LEAST_TPR, ScoredText};

/// One document: what `ovid detect --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Name to value, over all scored tokens; what is not defined for the text is left out. Empty where there is no text.
    pub statistics: BTreeMap<String, f64>,
    /// Tokens of the scoring model in the cleaned text, as far as it was read.
    pub n_tokens: usize,
    /// Whether the text goes on behind them.
    pub is_cut: bool,
    /// Tokens at the beginning that the verdict was made of: a calibrated length; null where the text is too short.
    pub judged_tokens: Option<usize>,
    /// P(machine); null where the text is too short.
    pub probability: Option<f64>,
    /// Its 95% interval, for the calibration's own error.
    pub interval: Option<Interval>,
    /// P(machine) before the text was read.
    pub prior: f64,
    /// Share of human texts with so high a score; null where the text is too short.
    pub p_value: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Tokens from which on half of machine texts like the calibration's are found; null where no calibrated length is enough.
    pub needed_tokens: Option<usize>,
    /// The false-positive rate asked for.
    pub fpr: f64,
    /// SHA-256 of the calibration; null without one.
    pub calibration: Option<String>,
    /// The file.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}

/// Machine or human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No more than the chosen share of human texts look so much like machine text.
    Machine,
    /// No more than that share of machine texts look so much like human text.
    Human,
    /// Neither.
    Undecided,
    /// At this length fewer than half of machine texts would be found.
    TooShort,
    /// There is no calibration for the scoring model.
    Uncalibrated,
}

/// How verdicts are reached.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The calibration and its SHA-256; `None` gives statistics alone.
    pub calibration: Option<(&'a Calibration, &'a str)>,
    /// The false-positive rate.
    pub fpr: f64,
    /// P(machine) before the text was read.
    pub prior: f64,
}

impl Rule<'_> {
    /// Judges a text.
    pub fn judge(&self, scored: &ScoredText) -> Detection {
        let statistics = scored
            .statistics()
            .map_or_else(BTreeMap::new, |s| s.named().into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect());
        let mut detection = Detection {
            statistics,
            n_tokens: scored.tokens.len(),
            is_cut: scored.is_cut,
            judged_tokens: None,
            probability: None,
            interval: None,
            prior: self.prior,
            p_value: None,
            verdict: Verdict::Uncalibrated,
            needed_tokens: None,
            fpr: self.fpr,
            calibration: self.calibration.map(|(_, sha256)| sha256.to_owned()),
            file: scored.text.file.clone(),
            line: scored.text.line,
        };
        let Some((calibration, _)) = self.calibration else { return detection };
        detection.needed_tokens = calibration.needed_tokens(self.fpr);
        detection.verdict = Verdict::TooShort;
        let Some(length) = calibration.length_for(scored.tokens.len(), self.fpr).filter(|l| l.tpr(self.fpr) >= LEAST_TPR) else {
            return detection;
        };
        let Some(statistics) = scored.prefix(length.n_tokens) else { return detection };
        let evidence = length.evidence(length.score(&statistics), self.prior);
        detection.judged_tokens = Some(length.n_tokens);
        detection.probability = Some(evidence.probability);
        detection.interval = Some(evidence.interval);
        detection.p_value = Some(evidence.p_human);
        detection.verdict = match (evidence.p_human <= self.fpr, evidence.p_machine <= self.fpr) {
            (true, false) => Verdict::Machine,
            (false, true) => Verdict::Human,
            _ => Verdict::Undecided,
        };
        detection
    }
}
