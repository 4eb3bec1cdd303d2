//! Tournament sampling (Dathathri et al. 2024, "Scalable watermarking for identifying large language model outputs", `SynthID`-Text).
//!
//! Bit l of a token's word is its strength in round l. 2^m tokens are drawn from p, with repetition; in round l they meet in pairs, the stronger goes on, equals by lot. The
//! winner's distribution is computed instead of the drawing: round by round p(t) becomes p(t) (1 + g(t) - G), G the mass of the strong. Over keys the choice has the distribution p.
//!
//! Within a byte of rounds a token's factor depends on 8 of its bits alone, so the rounds run over the masses of 256 classes, and the vocabulary is passed over once a byte.
//!
//! The detector's statistic is the published weighted mean: weights fall evenly from 10 in the first round to 1 in the last, since every round leaves less to win. Without a
//! watermark the bits are fair coins; a weighted sum of fair coins has a tail of at most 3.18 times the normal one (Bentkus and Dzindzalieta 2015, theorem 1.1, the best
//! possible factor), which is the p-value: proven, for any number of tokens.

use crate::prf::{Label, Stream, Words};
use crate::{Key, Tournament};

/// Replaces the weights of `kept` tokens by those of the tournament's winner.
pub fn weigh(key: &Key, tournament: Tournament, context: &[u32], kept: &[u32], weights: &mut [f32], words: &mut Words) {
    Stream::new(key, Label::Tournament, context).of(kept, words);
    let words = &words.words;
    let mut factors = [1.0f64; 256];
    for first in (0..u32::from(tournament.n_layers)).step_by(8) {
        let mut masses = [0.0f64; 256];
        for (&weight, word) in weights.iter().zip(words) {
            masses[(word >> first & 0xff) as usize] += f64::from(weight);
        }
        factors.fill(1.0);
        for layer in 0..(u32::from(tournament.n_layers) - first).min(8) {
            let (mut strong, mut all) = (0.0, 0.0);
            for (class, mass) in masses.iter().enumerate() {
                strong += if class >> layer & 1 == 1 { *mass } else { 0.0 };
                all += mass;
            }
            let share = strong / all;
            for (class, (mass, factor)) in masses.iter_mut().zip(&mut factors).enumerate() {
                let by = if class >> layer & 1 == 1 { 2.0 - share } else { 1.0 - share };
                *mass *= by;
                *factor *= by;
            }
        }
        for (weight, word) in weights.iter_mut().zip(words) {
            *weight = (f64::from(*weight) * factors[(word >> first & 0xff) as usize]) as f32;
        }
    }
}

/// The weight of a round in the detector's mean.
fn round_weight(tournament: Tournament, layer: u8) -> f64 {
    let last = tournament.n_layers - 1;
    if last == 0 { 10.0 } else { 10.0 - 9.0 * f64::from(layer) / f64::from(last) }
}

/// The weighted sum of the strengths of the token found after `context`, each +1 or -1.
pub fn score(key: &Key, tournament: Tournament, context: &[u32], token: u32) -> f64 {
    let word = Stream::new(key, Label::Tournament, context).word(token);
    (0..tournament.n_layers).map(|l| round_weight(tournament, l) * if word >> l & 1 == 1 { 1.0 } else { -1.0 }).sum()
}

/// The score of a token that is strong in every round.
pub fn greatest_score(tournament: Tournament) -> f64 {
    (0..tournament.n_layers).map(|l| round_weight(tournament, l)).sum()
}

/// The weighted mean of strengths in 0..=1, as published, from the mean of [`score`]: 0.5 is expected without a watermark.
pub fn mean_strength(tournament: Tournament, mean_score: f64) -> f64 {
    0.5 + 0.5 * mean_score / greatest_score(tournament)
}

/// P(such a sum or a greater one) over `n` tokens without a watermark: at most this.
pub fn p_value(tournament: Tournament, sum: f64, n: u64) -> f64 {
    if n == 0 || sum <= 0.0 {
        return 1.0;
    }
    let squares: f64 = (0..tournament.n_layers).map(|l| round_weight(tournament, l).powi(2)).sum();
    let tail = ovid_stats::distributions::normal_upper_tail;
    // 1 / (4 P(Z >= sqrt 2)), 3.178...
    let factor = 0.25 / tail(std::f64::consts::SQRT_2);
    (factor * tail(sum / (n as f64 * squares).sqrt())).min(1.0)
}
