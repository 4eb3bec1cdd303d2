//! The fraction of machine text by maximum likelihood over calibrated score densities, and its interval.
//!
//! Scores are counted in cells of the calibration's own quantiles, a length's cells apart from another's. The interval holds every fraction that a likelihood-ratio test does
//! not reject (Neyman), where the ratio's distribution is simulated: documents are drawn at that fraction from the calibrated densities, and judged with densities of
//! resampled source documents. So it holds at 0 and 1, where the usual chi-squared limit does not, and is wider where the calibration is small.

use std::collections::BTreeMap;

use ovid_stats::{Draws, Interval, quantile};

use super::Member;
use crate::{Calibration, Length, Side};

/// Cells of one length.
const N_CELLS: usize = 12;

/// Densities of both kinds over the cells of all lengths.
#[derive(Clone, Debug)]
struct Densities {
    human: Vec<f64>,
    machine: Vec<f64>,
}

/// A calibration made ready for mixtures.
#[derive(Clone, Debug)]
pub struct Mixture {
    /// Bounds between the cells of each length, rising.
    bounds: Vec<Vec<f64>>,
    densities: Densities,
    resampled: Vec<Densities>,
    draws: Draws,
}

/// Documents in each cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts(Vec<f64>);

impl Mixture {
    /// Cells and densities of a calibration, and those of `n_resamples` resamples of its source documents.
    pub fn new(calibration: &Calibration, n_resamples: usize, seed: u64) -> Self {
        let bounds: Vec<Vec<f64>> = calibration.lengths.iter().map(bounds).collect();
        let densities = densities(calibration, &bounds, &|_, n| vec![1.0; n]);
        let draws = Draws::new(seed, 11);
        let resampled = (0..n_resamples as u64)
            .map(|r| {
                // A source document is drawn as often in every length and on both sides.
                densities_of_resample(calibration, &bounds, Draws::new(draws.u64_at(r), 12))
            })
            .collect();
        Self { bounds, densities, resampled, draws }
    }

    /// Counts documents by cells.
    pub fn count(&self, members: &[&Member]) -> Counts {
        let mut counts = vec![0.0; self.densities.human.len()];
        for member in members {
            counts[self.cell(member.length, member.score)] += 1.0;
        }
        Counts(counts)
    }

    fn cell(&self, length: usize, score: f64) -> usize {
        length * N_CELLS + self.bounds[length].partition_point(|b| *b < score)
    }

    /// The most likely fraction.
    pub fn fraction(&self, counts: &Counts) -> f64 {
        most_likely(&self.densities, &counts.0)
    }

    /// All fractions that are not rejected at 1 - `level`.
    pub fn interval(&self, counts: &Counts, level: f64) -> Interval {
        let best = self.fraction(counts);
        let end = |far: f64| {
            if self.holds(counts, far, level) {
                return far;
            }
            let (mut inside, mut outside) = (best, far);
            while (inside - outside).abs() > 0.001 {
                let middle = f64::midpoint(inside, outside);
                if self.holds(counts, middle, level) { inside = middle } else { outside = middle }
            }
            outside
        };
        Interval { low: end(0.0), high: end(1.0) }
    }

    /// Whether the likelihood-ratio test does not reject a fraction at 1 - `level`.
    pub fn holds(&self, counts: &Counts, fraction: f64, level: f64) -> bool {
        let observed = ratio(&self.densities, &counts.0, fraction);
        if observed < 1e-9 {
            return true;
        }
        let mut simulated: Vec<f64> =
            (0..self.resampled.len()).map(|r| ratio(&self.resampled[r], &self.draw(counts, fraction, r as u64), fraction)).collect();
        simulated.sort_by(f64::total_cmp);
        // One more than the share, as in every test by simulation: the observed ratio is one of them.
        let rank = ((level * (simulated.len() + 1) as f64).ceil() as usize).clamp(1, simulated.len());
        observed <= simulated[rank - 1]
    }

    /// As many documents of each length as were observed, drawn at a fraction.
    fn draw(&self, counts: &Counts, fraction: f64, resample: u64) -> Vec<f64> {
        let draws = Draws::new(self.draws.u64_at(resample), 13);
        let mut place = 0;
        let mut drawn = vec![0.0; counts.0.len()];
        for (first, cells) in counts.0.chunks(N_CELLS).enumerate() {
            let at = first * N_CELLS..(first + 1) * N_CELLS;
            let mut sum = 0.0;
            let cumulative: Vec<f64> = at
                .clone()
                .map(|i| {
                    sum += (1.0 - fraction) * self.densities.human[i] + fraction * self.densities.machine[i];
                    sum
                })
                .collect();
            for _ in 0..cells.iter().sum::<f64>() as u64 {
                let cell = cumulative.partition_point(|c| *c <= draws.unit_at(place) * sum).min(N_CELLS - 1);
                drawn[at.start + cell] += 1.0;
                place += 1;
            }
        }
        drawn
    }
}

/// Bounds at the quantiles of both sides together, each side a half.
fn bounds(length: &Length) -> Vec<f64> {
    let of = |side: &Side, q: f64| quantile(&side.scores, q).unwrap_or(0.0);
    let mut bounds: Vec<f64> = (1..N_CELLS / 2)
        .flat_map(|i| {
            let q = i as f64 / (N_CELLS / 2) as f64;
            [of(&length.human, q), of(&length.machine, q)]
        })
        .collect();
    bounds.push(of(&length.human, 0.98));
    bounds.sort_by(f64::total_cmp);
    bounds
}

/// Densities where each text of the human (`false`) and machine side weighs what `weights` says.
fn densities(calibration: &Calibration, bounds: &[Vec<f64>], weights: &dyn Fn(&Side, usize) -> Vec<f64>) -> Densities {
    let side = |of: fn(&Length) -> &Side| {
        calibration
            .lengths
            .iter()
            .zip(bounds)
            .flat_map(|(length, bounds)| {
                let side = of(length);
                let mut counts = vec![0.5; N_CELLS];
                for (score, weight) in side.scores.iter().zip(weights(side, side.scores.len())) {
                    counts[bounds.partition_point(|b| b < score)] += weight;
                }
                let sum: f64 = counts.iter().sum();
                counts.into_iter().map(move |c| c / sum).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    Densities { human: side(|l| &l.human), machine: side(|l| &l.machine) }
}

fn densities_of_resample(calibration: &Calibration, bounds: &[Vec<f64>], draws: Draws) -> Densities {
    let mut groups: BTreeMap<u32, f64> = BTreeMap::new();
    for length in &calibration.lengths {
        groups.extend(length.human.groups.iter().chain(&length.machine.groups).map(|g| (*g, 0.0)));
    }
    let names: Vec<u32> = groups.keys().copied().collect();
    for i in 0..names.len() as u64 {
        *groups.entry(names[draws.below_at(i, names.len() as u64) as usize]).or_default() += 1.0;
    }
    densities(calibration, bounds, &|side, _| side.groups.iter().map(|g| groups.get(g).copied().unwrap_or(0.0)).collect())
}

/// 2 times the logarithm of the likelihood ratio of the best fraction over a given one.
fn ratio(densities: &Densities, counts: &[f64], fraction: f64) -> f64 {
    2.0 * (log_likelihood(densities, counts, most_likely(densities, counts)) - log_likelihood(densities, counts, fraction))
}

fn log_likelihood(Densities { human, machine }: &Densities, counts: &[f64], fraction: f64) -> f64 {
    let cells = counts.iter().zip(human.iter().zip(machine)).filter(|(n, _)| **n > 0.0);
    cells.map(|(n, (h, m))| n * ((1.0 - fraction) * h + fraction * m).ln()).sum()
}

/// The likelihood is concave in the fraction: its slope is followed to its root.
fn most_likely(Densities { human, machine }: &Densities, counts: &[f64]) -> f64 {
    let slope = |fraction: f64| -> f64 {
        let cells = counts.iter().zip(human.iter().zip(machine)).filter(|(n, _)| **n > 0.0);
        cells.map(|(n, (h, m))| n * (m - h) / ((1.0 - fraction) * h + fraction * m)).sum()
    };
    let (mut low, mut high) = (0.0, 1.0);
    if slope(low) <= 0.0 {
        return 0.0;
    }
    if slope(high) >= 0.0 {
        return 1.0;
    }
    for _ in 0..24 {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
