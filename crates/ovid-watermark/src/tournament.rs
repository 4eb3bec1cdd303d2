//! Tournament sampling (Dathathri et al. 2024, "Scalable watermarking for identifying large language model outputs", `SynthID`-Text).
//!
//! Bit l of a token's word is its strength in round l. 2^m tokens are drawn from p, with repetition; in round l they meet in pairs, the stronger goes on, equals by lot. The
//! winner's distribution is computed instead of the drawing: round by round p(t) becomes p(t) (1 + g(t) - G), G the mass of the strong. Over keys the choice has the distribution p.
//!
//! Within a byte of rounds a token's factor depends on 8 of its bits alone, so the rounds run over the masses of 256 classes, and the vocabulary is passed over once a byte.
//! Between bytes the least probable leave with what they have; what they had is independent of the bits to come, so the distribution over keys is still p.
//!
//! The detector's statistic is the published weighted mean: weights fall evenly from 10 in the first round to 1 in the last, since every round leaves less to win. Without a
//! watermark the bits are fair coins; a weighted sum of fair coins has a tail of at most 3.18 times the normal one (Bentkus and Dzindzalieta 2015, theorem 1.1, the best
//! possible factor), which is the p-value: proven, for any number of tokens.

use crate::prf::{Label, Stream, Words};
use crate::{Key, Tournament};

/// Before every eight rounds, tokens whose weight is below this share of the greatest leave: they keep their weight, and the rest is fought for by the others.
const LEAST: f64 = 1.0 / (1 << 14) as f64;

/// Those who take part, with memory that is used again.
#[derive(Clone, Debug, Default)]
pub struct Field {
    places: Vec<u32>,
    tokens: Vec<u32>,
    weights: Vec<f64>,
}

/// Replaces the weights of `kept` tokens by those of the tournament's winner.
pub fn weigh(key: &Key, tournament: Tournament, context: &[u32], kept: &[u32], weights: &mut [f32], words: &mut Words, field: &mut Field) {
    field.enter(kept, weights);
    Stream::new(key, Label::Tournament, context).of(&field.tokens, words);
    let words = &mut words.words;
    for first in (0..u32::from(tournament.n_layers)).step_by(8) {
        let class = |word: &u32| (word >> first & 0xff) as usize;
        let mut masses = [0.0f64; 256];
        for (&weight, word) in field.weights.iter().zip(words.iter()) {
            masses[class(word)] += weight;
        }
        let total = masses.iter().sum();
        let mut factors = [1.0f64; 256];
        for layer in 0..(u32::from(tournament.n_layers) - first).min(8) {
            fight(&mut masses, &mut factors, total, 1 << layer);
        }
        for (weight, word) in field.weights.iter_mut().zip(words.iter()) {
            *weight *= factors[class(word)];
        }
        field.leave(words, weights);
    }
}

/// One round among the classes: those with the bit `half` are strong.
fn fight(masses: &mut [f64; 256], factors: &mut [f64; 256], total: f64, half: usize) {
    let strong: f64 = masses.chunks_exact(2 * half).map(|pair| pair[half..].iter().sum::<f64>()).sum();
    let share = strong / total;
    // Where nearly all are strong, the weak soon have weights that processors are slow with; what this floor moves is less than the rounding of the sampler's weights.
    let lost = (1.0 - share).max(1e-9);
    for values in [masses, factors] {
        for pair in values.chunks_exact_mut(2 * half) {
            let (weak, strong) = pair.split_at_mut(half);
            weak.iter_mut().for_each(|value| *value *= lost);
            strong.iter_mut().for_each(|value| *value *= 1.0 + lost);
        }
    }
}

impl Field {
    fn enter(&mut self, kept: &[u32], weights: &[f32]) {
        let least = LEAST * f64::from(weights.iter().fold(0.0f32, |a, &b| if b > a { b } else { a }));
        self.resize(kept.len());
        // Everyone is written down at the end of those who take part: a branch that nobody can foresee would cost more.
        let mut n = 0;
        for (place, (&token, &weight)) in (0u32..).zip(kept.iter().zip(weights)) {
            let weight = f64::from(weight);
            (self.places[n], self.tokens[n], self.weights[n]) = (place, token, weight);
            n += usize::from(weight >= least);
        }
        self.resize(n);
    }

    /// Writes the weights down, and lets those go that have become too small.
    fn leave(&mut self, words: &mut [u32], weights: &mut [f32]) {
        let least = LEAST * self.weights.iter().fold(0.0, |a, &b| if b > a { b } else { a });
        let mut n = 0;
        for i in 0..self.weights.len() {
            let (place, weight, word) = (self.places[i], self.weights[i], words[i]);
            weights[place as usize] = weight as f32;
            (self.places[n], self.weights[n], words[n]) = (place, weight, word);
            n += usize::from(weight >= least);
        }
        self.resize(n);
    }

    fn resize(&mut self, n: usize) {
        self.places.resize(n, 0);
        self.tokens.resize(n, 0);
        self.weights.resize(n, 0.0);
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
