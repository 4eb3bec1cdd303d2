//! A test that may be watched as documents arrive: a betting martingale on conformal p-values.
//!
//! The p-value of a document is the rank of its score among the calibration's human scores and all documents before it, ties broken at random. While all of them are
//! exchangeable these p-values are independent and uniform (Vovk et al. 2005, theorem 8.1), the calibration's own luck included; bets on small ones then win
//! nothing on average, and the wealth of 1 reaches 1 / a with a probability of a at most, whenever one looks (Ville 1939). One calibration text a source
//! document is taken, since several of one are not exchangeable with those of others.

use std::collections::BTreeMap;

use ovid_stats::Draws;

use super::Member;
use crate::{Calibration, Side};

/// A bet on p below `bound`, of the share `stake`.
const BETS: [(f64, f64); 9] =
    [(0.01, 0.02), (0.01, 0.1), (0.01, 0.4), (0.05, 0.1), (0.05, 0.3), (0.05, 0.6), (0.25, 0.2), (0.25, 0.5), (0.25, 0.8)];

/// Evidence against "all human", growing document by document.
#[derive(Clone, Debug)]
pub struct Martingale {
    /// Scores seen, rising, for each length.
    seen: Vec<Vec<f64>>,
    /// What each bet has become.
    wealth: [f64; BETS.len()],
    greatest: f64,
    draws: Draws,
    n: u64,
}

impl Martingale {
    /// A test against a calibration; `seed` decides ties.
    pub fn new(calibration: &Calibration, seed: u64) -> Self {
        Self::against(calibration.lengths.iter().map(|l| one_a_document(&l.human, seed)).collect(), seed)
    }

    /// A test against human scores, rising, for each length.
    pub(super) fn against(seen: Vec<Vec<f64>>, seed: u64) -> Self {
        Self { seen, wealth: [1.0; BETS.len()], greatest: 1.0, draws: Draws::new(seed, 14), n: 0 }
    }

    /// Takes one more document; the evidence after it.
    pub fn bet(&mut self, member: &Member) -> f64 {
        self.bet_score(member.length, member.score)
    }

    pub(super) fn bet_score(&mut self, length: usize, score: f64) -> f64 {
        let seen = &mut self.seen[length];
        let below = seen.partition_point(|s| *s < score);
        let not_above = seen.partition_point(|s| *s <= score);
        let (above, ties) = (seen.len() - not_above, not_above - below + 1);
        let p = (above as f64 + self.draws.unit_at(self.n) * ties as f64) / (seen.len() + 1) as f64;
        seen.insert(below, score);
        self.n += 1;
        for (wealth, (bound, stake)) in self.wealth.iter_mut().zip(BETS) {
            *wealth *= 1.0 - stake + if p <= bound { stake / bound } else { 0.0 };
        }
        let now = self.wealth();
        self.greatest = self.greatest.max(now);
        now
    }

    /// The evidence now: the mean of all bets.
    pub fn wealth(&self) -> f64 {
        self.wealth.iter().sum::<f64>() / BETS.len() as f64
    }

    /// The greatest it has been.
    pub fn greatest(&self) -> f64 {
        self.greatest
    }
}

/// One score of each source document, drawn.
fn one_a_document(side: &Side, seed: u64) -> Vec<f64> {
    let mut of: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (score, group) in side.scores.iter().zip(&side.groups) {
        of.entry(*group).or_default().push(*score);
    }
    let draws = Draws::new(seed, 15);
    let mut scores: Vec<f64> =
        of.iter().map(|(group, scores)| scores[draws.below_at(u64::from(*group), scores.len() as u64) as usize]).collect();
    scores.sort_by(f64::total_cmp);
    scores
}
