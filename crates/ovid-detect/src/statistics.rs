//! The published statistics of one text under one scoring model, from its tokens' scores.
//!
//! Means of log-probability, rank and log-rank, and entropy: Gehrmann et al. 2019 (GLTR), Mitchell et al. 2023, section 5. LRR: Su et al. 2023, equation 1. Curvature: Bao et al.
//! 2024 (Fast-DetectGPT), equation 7 with one model for sampling and scoring, where mean and variance are exact sums over the vocabulary. Binoculars: Hans et al. 2024, equation 4.

use ovid_eval::TokenScore;
use serde::Serialize;

/// The statistics of a text of at least one scored token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Mean log-probability, in nats.
    pub log_likelihood: f64,
    /// Mean rank, 1 the most probable token.
    pub rank: f64,
    /// Mean natural logarithm of the rank.
    pub log_rank: f64,
    /// Mean entropy of the distributions, in nats.
    pub entropy: f64,
    /// Log-likelihood over log-rank, positive; null where every token was the most probable one.
    pub lrr: Option<f64>,
    /// Share of tokens among the 10 most probable ones.
    pub top_10: f64,
    /// Share of tokens among the 100 most probable ones.
    pub top_100: f64,
    /// Share of tokens among the 1,000 most probable ones.
    pub top_1000: f64,
    /// The analytic conditional probability curvature; null where no distribution has a variance.
    pub curvature: Option<f64>,
    /// Log-perplexity over cross-entropy with the second model; null without one.
    pub binoculars: Option<f64>,
}

/// What verdicts are made of, in this order.
pub(crate) const N_FEATURES: usize = 9;

impl Statistics {
    /// The statistics of the scored ones of `tokens`; `cross_entropies`, of the same length, are those against a second model. `None` where nothing was scored.
    pub fn of(tokens: &[TokenScore], cross_entropies: Option<&[f64]>) -> Option<Self> {
        let mut n = 0.0;
        let (mut logprob, mut rank, mut log_rank, mut entropy, mut variance, mut cross) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        let mut top = [0.0; 3];
        for (i, token) in tokens.iter().enumerate() {
            let (Some(l), Some(r), Some(e), Some(v)) = (token.logprob, token.rank, token.entropy, token.variance) else { continue };
            n += 1.0;
            logprob += f64::from(l);
            rank += f64::from(r);
            log_rank += f64::from(r).ln();
            entropy += f64::from(e);
            variance += f64::from(v);
            for (share, bound) in top.iter_mut().zip([10, 100, 1000]) {
                *share += f64::from(u8::from(r <= bound));
            }
            cross += cross_entropies.and_then(|c| c.get(i)).copied().unwrap_or(0.0);
        }
        (n > 0.0).then(|| Self {
            log_likelihood: logprob / n,
            rank: rank / n,
            log_rank: log_rank / n,
            entropy: entropy / n,
            lrr: (log_rank > 0.0).then(|| -logprob / log_rank),
            top_10: top[0] / n,
            top_100: top[1] / n,
            top_1000: top[2] / n,
            curvature: (variance > 0.0).then(|| (logprob + entropy) / variance.sqrt()),
            binoculars: cross_entropies.filter(|_| cross > 0.0).map(|_| -logprob / cross),
        })
    }

    /// Names and values, as tables list them.
    pub fn named(&self) -> [(&'static str, Option<f64>); 10] {
        [
            ("log_likelihood", Some(self.log_likelihood)),
            ("rank", Some(self.rank)),
            ("log_rank", Some(self.log_rank)),
            ("entropy", Some(self.entropy)),
            ("lrr", self.lrr),
            ("top_10", Some(self.top_10)),
            ("top_100", Some(self.top_100)),
            ("top_1000", Some(self.top_1000)),
            ("curvature", self.curvature),
            ("binoculars", self.binoculars),
        ]
    }

    /// What verdicts are made of. The mean rank is left out: one rare word decides it. What is null is NaN.
    pub(crate) fn features(&self) -> [f64; N_FEATURES] {
        [
            self.log_likelihood,
            self.log_rank,
            self.entropy,
            self.lrr.unwrap_or(f64::NAN),
            self.top_10,
            self.top_100,
            self.top_1000,
            self.curvature.unwrap_or(f64::NAN),
            self.binoculars.unwrap_or(f64::NAN),
        ]
    }

    /// The names of the features, in their order.
    pub(crate) const FEATURES: [&'static str; N_FEATURES] =
        ["log_likelihood", "log_rank", "entropy", "lrr", "top_10", "top_100", "top_1000", "curvature", "binoculars"];
}
