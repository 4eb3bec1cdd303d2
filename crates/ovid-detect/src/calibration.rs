//! From the statistics of a text to evidence: what a calibration holds, and what it says of one score.
//!
//! For each of a few lengths a calibration has a linear score of the statistics, fitted on one part of the source documents, and the scores of human and machine texts of
//! the other part. A text is judged on its beginning, at the longest of these lengths that it has, so that it is compared with texts of its own length alone. The
//! false-positive rate is held by ranks (conformal p-values, Vovk et al. 2005), which asks nothing of the scores but that a human text comes from where the
//! calibration's came from; the probability by a logistic curve (Platt 1999), refitted on resampled source documents for its interval.

use std::path::Path;

use ovid_stats::{Interval, quantile};
use serde::{Deserialize, Serialize};

use crate::logistic::sigmoid;
use crate::statistics::N_FEATURES;
use crate::{Error, ModelId, Scoring, Statistics};

/// Everything that a verdict needs beside the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Always `ovid-detect-calibration`.
    pub format: String,
    /// Of the format: 1.
    pub version: u32,
    /// The model that scored the texts.
    pub model: ModelId,
    /// The second model of Binoculars.
    pub second: Option<ModelId>,
    /// Which program made the machine's texts.
    pub machine: String,
    /// What the human texts are.
    pub human: String,
    /// Tokens of the scoring model for each GPT-2 token, on the human texts.
    pub tokens_per_gpt2_token: f64,
    /// The names of the statistics that scores are made of.
    pub statistics: Vec<String>,
    /// The lengths, rising.
    pub lengths: Vec<Length>,
}

/// The calibration of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// In GPT-2 tokens.
    pub gpt2_tokens: usize,
    /// In tokens of the scoring model.
    pub n_tokens: usize,
    /// Subtracted from each statistic.
    pub means: Vec<f64>,
    /// What is left is divided by these.
    pub scales: Vec<f64>,
    /// What that is multiplied with; the last is added.
    pub weights: Vec<f64>,
    /// Human scores, rising, and the number of the source document of each.
    pub human: Side,
    /// Machine scores, rising, and the number of the source document of each's prompt.
    pub machine: Side,
    /// Slope and constant of the probability's logistic curve at even odds; the first is the fit, the others those of resampled source documents.
    pub curves: Vec<[f64; 2]>,
}

/// The scores of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Rising.
    pub scores: Vec<f64>,
    /// Source document of each.
    pub groups: Vec<u32>,
    /// For each trait of [`crate::TRAITS`], its values over some of the texts.
    pub traits: Vec<Vec<f64>>,
}

/// What [`Calibration::format`] says.
pub const CALIBRATION_FORMAT: &str = "ovid-detect-calibration";

/// The least share of machine texts that must be found for a length not to be too short.
pub const LEAST_TPR: f64 = 0.5;

/// What a calibration says of one score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The share of human texts with so high a score, this text counted among them.
    pub p_human: f64,
    /// The share of machine texts with so low a score, this text counted among them.
    pub p_machine: f64,
    /// P(machine), from the prior.
    pub probability: f64,
    /// Its 95% interval, for the calibration's own error.
    pub interval: Interval,
}

impl Calibration {
    /// Reads a calibration.
    ///
    /// # Errors
    /// If the file cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|cause| ovid_io::Error::io(path, "read", cause))?;
        Self::parse(&text, path)
    }

    /// A calibration from the bytes of its file; `path` is what errors call it.
    ///
    /// # Errors
    /// If it is none, or holds what cannot be.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let wrong = |cause: String| Error::NoCalibration { path: path.to_owned(), cause };
        let calibration: Self = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        calibration.fault().map_or(Ok(calibration), |cause| Err(wrong(cause.to_owned())))
    }

    fn fault(&self) -> Option<&'static str> {
        let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
        let side = |side: &Side| {
            side.scores.len() == side.groups.len()
                && !side.scores.is_empty()
                && side.scores.is_sorted()
                && finite(&side.scores)
                && side.traits.len() == crate::TRAITS.len()
        };
        if self.format != CALIBRATION_FORMAT || self.version != 1 {
            return Some("another format or version");
        }
        if self.statistics != Statistics::FEATURES {
            return Some("other statistics");
        }
        let rising = |f: fn(&Length) -> usize| self.lengths.is_sorted_by(|a, b| f(a) < f(b));
        if self.lengths.is_empty() || !rising(|l| l.n_tokens) || !rising(|l| l.gpt2_tokens) || self.lengths[0].n_tokens == 0 {
            return Some("lengths that do not rise");
        }
        let holds = |l: &Length| {
            let n = N_FEATURES;
            let sizes = (l.means.len(), l.scales.len(), l.weights.len()) == (n, n, n + 1);
            let numbers = finite(&l.means) && finite(&l.weights) && l.scales.iter().all(|s| *s > 0.0 && s.is_finite());
            sizes && numbers && side(&l.human) && side(&l.machine) && !l.curves.is_empty() && l.curves.iter().all(|c| finite(c))
        };
        (!self.lengths.iter().all(holds)).then_some("numbers that cannot be")
    }

    /// Refuses texts scored with other models than the calibration's.
    ///
    /// # Errors
    /// [`Error::OtherModel`] or [`Error::Second`].
    pub fn check(&self, scoring: &Scoring<'_>) -> Result<(), Error> {
        let same = |calibrated: &ModelId, scoring: &ModelId| {
            if calibrated.sha256 == scoring.sha256 {
                return Ok(());
            }
            Err(Error::OtherModel {
                calibrated: calibrated.name.clone(),
                calibrated_sha256: calibrated.sha256.clone(),
                scoring: scoring.name.clone(),
                scoring_sha256: scoring.sha256.clone(),
            })
        };
        same(&self.model, &scoring.name)?;
        match (&self.second, &scoring.second) {
            (Some(calibrated), Some((_, scoring))) => same(calibrated, scoring),
            (None, None) => Ok(()),
            (Some(_), None) => Err(Error::Second("with")),
            (None, Some(_)) => Err(Error::Second("without")),
        }
    }

    /// Refuses a false-positive rate that no length can hold.
    ///
    /// # Errors
    /// [`Error::Rate`], or [`Error::Setting`] where it is no rate.
    pub fn check_rate(&self, fpr: f64) -> Result<(), Error> {
        if !(fpr > 0.0 && fpr < 0.5) {
            return Err(Error::Setting { name: "fpr", value: fpr.to_string(), must: "above 0 and below 0.5" });
        }
        let n_human = self.lengths.iter().map(|l| l.human.scores.len()).max().unwrap_or(0);
        let least = 3.0 / n_human as f64;
        if fpr < least { Err(Error::Rate { fpr, n_human, least }) } else { Ok(()) }
    }

    /// The longest length that a text of `n_tokens` has and whose human texts are enough for the rate.
    pub fn length_for(&self, n_tokens: usize, fpr: f64) -> Option<&Length> {
        self.lengths.iter().rev().find(|l| l.n_tokens <= n_tokens && l.holds(fpr))
    }

    /// Tokens from which on half of the machine texts are found at the rate; `None` where no calibrated length is enough.
    pub fn needed_tokens(&self, fpr: f64) -> Option<usize> {
        self.lengths.iter().find(|l| l.holds(fpr) && l.tpr(fpr) >= LEAST_TPR).map(|l| l.n_tokens)
    }
}

impl Length {
    /// Whether its human texts are enough for a rate: 3 over their number.
    pub fn holds(&self, fpr: f64) -> bool {
        fpr * self.human.scores.len() as f64 >= 3.0
    }

    /// The share of machine texts that are called so at the rate.
    pub fn tpr(&self, fpr: f64) -> f64 {
        let found = self.machine.scores.iter().filter(|s| self.p_human(**s) <= fpr).count();
        found as f64 / self.machine.scores.len() as f64
    }

    /// The score of a text's statistics at this length: more means machine. A statistic that is null counts as the mean.
    pub fn score(&self, statistics: &Statistics) -> f64 {
        let features = statistics.features();
        let z = features.iter().zip(&self.means).zip(&self.scales).map(|((x, m), s)| if x.is_nan() { 0.0 } else { (x - m) / s });
        z.zip(&self.weights).map(|(z, w)| z * w).sum::<f64>() + self.weights[N_FEATURES]
    }

    /// The conformal p-value of a score under "human".
    pub fn p_human(&self, score: f64) -> f64 {
        let scores = &self.human.scores;
        (scores.len() - scores.partition_point(|s| *s < score) + 1) as f64 / (scores.len() + 1) as f64
    }

    /// The conformal p-value of a score under "machine".
    pub fn p_machine(&self, score: f64) -> f64 {
        let scores = &self.machine.scores;
        (scores.partition_point(|s| *s <= score) + 1) as f64 / (scores.len() + 1) as f64
    }

    /// What is known of a score.
    pub fn evidence(&self, score: f64, prior: f64) -> Evidence {
        // Beyond the scores that were seen the curve is a guess: no more is claimed than one text in as many as there were.
        let floor = 1.0 / (self.human.scores.len().min(self.machine.scores.len()) + 2) as f64;
        let odds = (prior / (1.0 - prior)).ln();
        let at = |[slope, constant]: [f64; 2]| {
            let even = sigmoid(slope * score + constant).clamp(floor, 1.0 - floor);
            sigmoid((even / (1.0 - even)).ln() + odds)
        };
        let mut resampled: Vec<f64> = self.curves[1..].iter().map(|c| at(*c)).collect();
        resampled.sort_by(f64::total_cmp);
        let probability = at(self.curves[0]);
        let end = |q| quantile(&resampled, q).unwrap_or(probability);
        let interval = Interval { low: end(0.025).min(probability), high: end(0.975).max(probability) };
        Evidence { p_human: self.p_human(score), p_machine: self.p_machine(score), probability, interval }
    }
}
