//! Whether the documents are like the calibration's in what a detector must not use. Where they are not, its error rates do not hold for them.

use ovid_stats::kolmogorov_smirnov;
use serde::{Deserialize, Serialize};

use super::Member;
use crate::{Calibration, TRAITS};

/// A trait in which documents of one length differ from both sides of the calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unlike {
    /// The trait.
    pub name: String,
    /// The length in GPT-2 tokens.
    pub gpt2_tokens: usize,
    /// The distance between the distribution functions, to the nearer side.
    pub distance: f64,
    /// The p-value of Kolmogorov and Smirnov's test against the nearer side, times the number of tests made.
    pub p_value: f64,
    /// The documents' median.
    pub median: f64,
    /// The calibration's median, of the human side.
    pub calibrated: f64,
}

/// Fewer documents of a length than this are not tested.
const LEAST: usize = 20;
/// A smaller distance harms nobody, however sure it is.
const LEAST_DISTANCE: f64 = 0.15;

/// The traits in which the documents differ at 1%, all tests together.
pub fn unlike(calibration: &Calibration, members: &[&Member]) -> Vec<Unlike> {
    let mut tests = Vec::new();
    for (at, length) in calibration.lengths.iter().enumerate() {
        let here: Vec<&&Member> = members.iter().filter(|m| m.length == at).collect();
        if here.len() < LEAST {
            continue;
        }
        for (i, name) in TRAITS.iter().enumerate() {
            let values: Vec<f64> = here.iter().map(|m| m.traits[i]).collect();
            let nearer = [&length.human, &length.machine]
                .into_iter()
                .filter_map(|side| kolmogorov_smirnov(&values, &side.traits[i]))
                .max_by(|a, b| a.p.total_cmp(&b.p));
            if let (Some(test), Some(median), Some(calibrated)) =
                (nearer, ovid_stats::median(&values), ovid_stats::median(&length.human.traits[i]))
            {
                let (name, gpt2_tokens) = ((*name).to_owned(), length.gpt2_tokens);
                tests.push(Unlike { name, gpt2_tokens, distance: test.statistic, p_value: test.p, median, calibrated });
            }
        }
    }
    let n = tests.len() as f64;
    tests.iter_mut().for_each(|t| t.p_value = (t.p_value * n).min(1.0));
    tests.retain(|t| t.p_value < 0.01 && t.distance > LEAST_DISTANCE);
    tests
}
