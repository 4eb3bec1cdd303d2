//! The exponential scheme (Aaronson 2022; Kuditipudi et al. 2023 for its naming): a draw by the Gumbel trick with keyed numbers.
//!
//! With `u_t` = (word + 1/2) / 2^32 for each token, the chosen token is that of the least -`ln(u_t)` / `p_t`, the first arrival of a race whose rates are the probabilities:
//! over keys the choice has exactly the distribution p (to the 32 bits of the words). The detector adds up -ln(1 - u) of the tokens found, with u rounded down to
//! word / 2^32; without a watermark each summand is below an exponential number of mean 1, so the gamma distribution's tail is never too small.

use crate::prf::{Label, Stream, Words};
use crate::{Choice, Key};

const STEP: f64 = 1.0 / (1u64 << 32) as f64;

/// The winner among `kept` tokens.
pub fn choose(key: &Key, context: &[u32], kept: &[u32], weights: &[f32], words: &mut Words) -> Choice {
    Stream::new(key, Label::Gumbel, context).of(kept, words);
    let mut best = f64::INFINITY;
    let mut winner = None;
    for (place, (&word, &weight)) in words.words.iter().zip(weights).enumerate() {
        let weight = f64::from(weight);
        // -ln u >= 1 - u, and the logarithm is dear: few tokens need it.
        let u = (f64::from(word) + 0.5) * STEP;
        if 1.0 - u < best * weight {
            let arrival = -ovid_stats::ln(u) / weight;
            if arrival < best {
                (best, winner) = (arrival, Some(place));
            }
        }
    }
    winner.map_or(Choice::Open, Choice::Token)
}

/// What the token found after `context` adds to the sum.
pub fn score(key: &Key, context: &[u32], token: u32) -> f64 {
    -(-f64::from(Stream::new(key, Label::Gumbel, context).word(token)) * STEP).ln_1p()
}

/// P(such a sum or a greater one) over `n` tokens without a watermark: at most this.
pub fn p_value(sum: f64, n: u64) -> f64 {
    if n == 0 { 1.0 } else { ovid_stats::distributions::gamma_upper_tail(sum, n as f64) }
}
