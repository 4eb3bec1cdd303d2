//! The detector's side: how improbable a text would be if nobody had marked it.
//!
//! A text whose writer did not have the key is independent of the key's words, so the words of its tokens are independent, whatever the text, once each is counted once:
//! a context that came before in the text, or in the passage where a passage is judged, is passed over. That holds for excerpts, for mixtures and for tokens other than those drawn. The prompt is never
//! counted; where it is known, the first tokens after it can be judged too, since their contexts are.
//!
//! Many tests of one text are paid for: the p-value is multiplied by the number of keys, schemes and passages tried (Bonferroni), which holds however they depend.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::green_list::Anchor;
use crate::{KeyId, Scheme, Watermark, green_list, gumbel, tournament};

/// Judges texts by a set of watermarks.
#[derive(Clone, Debug)]
pub struct Detector {
    watermarks: Vec<Watermark>,
    fpr: f64,
    window: usize,
}

/// What is said of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The corrected p-value is at most the false-positive rate.
    Marked,
    /// It is greater.
    NotFound,
    /// No text of so few tokens could be called marked.
    TooShort,
}

/// What the keys say of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// At the false-positive rate that was asked for.
    pub verdict: Verdict,
    /// The least of the trials', corrected for their number: P(so little or less) if no key marked the text.
    pub p_value: f64,
    /// The false-positive rate that was asked for.
    pub fpr: f64,
    /// Tokens of the text, without the prompt.
    pub n_tokens: usize,
    /// The trials, least p-value first.
    pub trials: Vec<Trial>,
}

/// What `ovid watermark detect --json` prints of a text: its judgement with the place where it lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The file.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
    /// What is said of it.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// One key and scheme tried on a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The key's identity.
    pub key: KeyId,
    /// The key's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// The scheme.
    #[serde(flatten)]
    pub scheme: Scheme,
    /// Of this trial alone, its passages paid for.
    pub p_value: f64,
    /// The whole text.
    pub whole: Evidence,
    /// The best passage, where passages were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passage: Option<Passage>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Tokens that counted.
    pub n_counted: u64,
    /// Green share, mean exponential number, or mean strength.
    pub score: f64,
    /// Its mean without a watermark.
    pub expected: f64,
    /// P(such a score or a greater one) without a watermark.
    pub p_value: f64,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Its first token, counted from 0 after the prompt.
    pub start: usize,
    /// The token after its last.
    pub end: usize,
    /// How many passages were looked at.
    pub n_passages: usize,
    /// What it shows; its p-value is not corrected.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A token whose context is whole.
struct Found {
    position: usize,
    /// What it adds if it counts.
    score: f64,
    /// With self-hash: the anchor that its word came from.
    anchor: Option<Anchor>,
}

impl Detector {
    /// Tries each of `watermarks`; a text is called marked where the corrected p-value is at most `fpr`. Texts longer than two windows are also searched for a marked passage, by
    /// windows of `window` tokens that move by half (0 leaves that out).
    pub fn new(watermarks: Vec<Watermark>, fpr: f64, window: usize) -> Self {
        Self { watermarks, fpr, window }
    }

    /// Judges a text, of which the first `n_prompt` ids are a prompt.
    pub fn judge(&self, ids: &[u32], n_prompt: usize) -> Judgement {
        let n_prompt = n_prompt.min(ids.len());
        let n_tokens = ids.len() - n_prompt;
        let n_trials = self.watermarks.len().max(1) as f64;
        let mut trials: Vec<Trial> = self.watermarks.iter().map(|w| self.trial(w, ids, n_prompt)).collect();
        trials.sort_by(|a, b| a.p_value.total_cmp(&b.p_value));
        let p_value = trials.first().map_or(1.0, |t| (t.p_value * n_trials).min(1.0));
        let attainable = trials.iter().map(|t| least_p(&t.scheme, t.whole.n_counted)).fold(1.0, f64::min);
        let verdict = if p_value <= self.fpr {
            Verdict::Marked
        } else if attainable * n_trials > self.fpr {
            Verdict::TooShort
        } else {
            Verdict::NotFound
        };
        Judgement { verdict, p_value, fpr: self.fpr, n_tokens, trials }
    }

    fn trial(&self, watermark: &Watermark, ids: &[u32], n_prompt: usize) -> Trial {
        let scheme = watermark.scheme;
        let text = Text { ids, found: found(watermark, ids, n_prompt), scheme };
        let whole = text.evidence(n_prompt, ids.len());
        let passage = self.passage(&text, n_prompt, ids.len());
        // Half of the error is the whole text's, half the passages'.
        let p_value = passage
            .map_or(whole.p_value, |passage| (2.0 * whole.p_value.min(passage.evidence.p_value * passage.n_passages as f64)).min(1.0));
        let (key, key_name) = (watermark.key.id(), watermark.key.name().map(str::to_owned));
        Trial { key, key_name, scheme, p_value, whole, passage }
    }

    fn passage(&self, text: &Text<'_>, start: usize, end: usize) -> Option<Passage> {
        let window = self.window;
        if window < 2 || end - start <= 2 * window {
            return None;
        }
        let starts: Vec<usize> = (start..end - window / 2).step_by(window / 2).collect();
        let n_passages = starts.len();
        let passages = starts.into_iter().map(|from| {
            let to = (from + window).min(end);
            Passage { start: from - start, end: to - start, n_passages, evidence: text.evidence(from, to) }
        });
        passages.min_by(|a, b| a.evidence.p_value.total_cmp(&b.evidence.p_value))
    }
}

/// All tokens after the prompt whose context is whole.
fn found(watermark: &Watermark, ids: &[u32], n_prompt: usize) -> Vec<Found> {
    let Watermark { key, scheme } = watermark;
    let width = scheme.context_width();
    let one = |position: usize| {
        let (context, token) = (&ids[position - width..position], ids[position]);
        let (score, anchor) = match *scheme {
            Scheme::GreenList(list) if list.self_hash => {
                let (green, anchor) = green_list::is_green_self_hashed(key, list, context, token);
                (f64::from(u8::from(green)), Some(anchor))
            }
            Scheme::GreenList(list) => (f64::from(u8::from(green_list::is_green(key, list, context, token))), None),
            Scheme::Gumbel(_) => (gumbel::score(key, context, token), None),
            Scheme::Tournament(t) => (tournament::score(key, t, context, token), None),
        };
        Found { position, score, anchor }
    };
    (n_prompt.max(width)..ids.len()).map(one).collect()
}

/// A text under one watermark.
struct Text<'a> {
    ids: &'a [u32],
    found: Vec<Found>,
    scheme: Scheme,
}

impl Text<'_> {
    /// What the tokens `from..to` show, as if they were a text by themselves: of equal contexts among them the first counts.
    fn evidence(&self, from: usize, to: usize) -> Evidence {
        let first = self.found.partition_point(|f| f.position < from);
        let last = self.found.partition_point(|f| f.position < to);
        let width = self.scheme.context_width();
        let (mut contexts, mut pairs) = (HashSet::new(), HashSet::new());
        let (mut n, mut sum) = (0u64, 0.0);
        for found in &self.found[first..last] {
            let at = found.position;
            let fresh = contexts.insert(&self.ids[at - width..at]);
            if fresh && found.anchor.is_none_or(|anchor| pairs.insert((anchor, self.ids[at]))) {
                n += 1;
                sum += found.score;
            }
        }
        let mean = if n == 0 { 0.0 } else { sum / n as f64 };
        let (score, expected, p_value) = match self.scheme {
            Scheme::GreenList(list) => (mean, list.gamma(), green_list::p_value(list, sum as u64, n)),
            Scheme::Gumbel(_) => (mean, 1.0, gumbel::p_value(sum, n)),
            Scheme::Tournament(t) => (tournament::mean_strength(t, mean), 0.5, tournament::p_value(t, sum, n)),
        };
        Evidence { n_counted: n, score, expected, p_value }
    }
}

/// The p-value of the most marked text of `n` counted tokens that there could be.
fn least_p(scheme: &Scheme, n: u64) -> f64 {
    match *scheme {
        Scheme::GreenList(list) => green_list::p_value(list, n, n),
        // -ln 2^-32, the greatest score of a token.
        Scheme::Gumbel(_) => gumbel::p_value(32.0 * std::f64::consts::LN_2 * n as f64, n),
        Scheme::Tournament(t) => tournament::p_value(t, tournament::greatest_score(t) * n as f64, n),
    }
}
