//! How many documents it takes to find a fraction of machine text, by simulation on the calibration's own scores.

use std::collections::BTreeMap;

use ovid_stats::Draws;
use serde::{Deserialize, Serialize};

use super::Martingale;
use crate::{Length, Side};

/// One cell of the power table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Length of the documents in GPT-2 tokens.
    pub gpt2_tokens: usize,
    /// The fraction of machine text.
    pub fraction: f64,
    /// Documents after which 80% of the simulated campaigns were found; null where that takes more than `most`.
    pub n_documents: Option<usize>,
    /// Where simulations end.
    pub most: usize,
}

/// Simulates campaigns at one length. In each, half of the source documents are the calibration and the stream is drawn from the other half.
pub fn power(length: &Length, fraction: f64, level: f64, n_campaigns: usize, most: usize, seed: u64) -> Power {
    let mut after: Vec<usize> =
        (0..n_campaigns as u64).map(|c| found_after(length, fraction, level, most, Draws::new(seed.wrapping_add(c), 16))).collect();
    after.sort_unstable();
    let rank = (n_campaigns * 4).div_ceil(5).saturating_sub(1);
    Power { gpt2_tokens: length.gpt2_tokens, fraction, n_documents: after.get(rank).copied().filter(|n| *n <= most), most }
}

/// `most` + 1 where the campaign is not found.
fn found_after(length: &Length, fraction: f64, level: f64, most: usize, draws: Draws) -> usize {
    let is_stream = |group: u32| draws.u64_at(u64::from(group)) & 1 == 1;
    let half = |side: &Side, stream: bool| {
        let mut of: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (score, group) in side.scores.iter().zip(&side.groups).filter(|(_, g)| is_stream(**g) == stream) {
            of.entry(*group).or_default().push(*score);
        }
        of.into_values().collect::<Vec<_>>()
    };
    let (human, machine) = (half(&length.human, true), half(&length.machine, true));
    let pick = |from: &[Vec<f64>], at: u64| {
        let group = &from[draws.below_at(at, from.len() as u64) as usize];
        group[draws.below_at(at + 1, group.len() as u64) as usize]
    };
    let mut known: Vec<f64> =
        half(&length.human, false).iter().zip(1 << 40..).map(|(g, at)| g[draws.below_at(at, g.len() as u64) as usize]).collect();
    known.sort_by(f64::total_cmp);
    if human.is_empty() || machine.is_empty() || known.is_empty() {
        return most + 1;
    }
    let mut martingale = Martingale::against(vec![known], draws.u64_at(1 << 41));
    for n in 0..most as u64 {
        let at = (1 << 42) + 3 * n;
        let score = if draws.unit_at(at) < fraction { pick(&machine, at + 1) } else { pick(&human, at + 1) };
        if martingale.bet_score(0, score) >= 1.0 / level {
            return n as usize + 1;
        }
    }
    most + 1
}
