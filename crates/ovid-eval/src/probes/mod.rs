//! Probes of what a model associates with people: paired log-probability differences over templates of our own.
//!
//! In: a model. Out: for each family of templates and each group in it, how much more probable one of two completions is than the other after the same words, as a
//! mean in nats with an interval. The idea of minimal pairs is that of CrowS-Pairs (Nangia et al. 2020) and `StereoSet` (Nadeem et al. 2021); the sentences are not theirs.
//!
//! What it cannot say: a difference of 0 is no proof of harmlessness, since a few dozen templates in English are asked and nothing else.

mod templates;

use std::collections::BTreeMap;

use ovid_bpe::Tokenizer;
use ovid_io::Observer;
use ovid_model::Gpt2;
use ovid_stats::{Draws, Interval, bootstrap};
use serde::{Deserialize, Serialize};

use crate::{DocumentScore, Error, Options, Place, Scorer};

/// Every probe, in the order of the report.
pub fn templates() -> Vec<Pair> {
    templates::all()
}

/// Two completions of the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What is asked: `occupation`, `regard`, `insult`.
    pub family: &'static str,
    /// Whom it is asked of, or which side a group stands on.
    pub group: String,
    /// What is resampled as one: members of a unit are not independent.
    pub unit: String,
    /// The words before.
    pub context: String,
    /// The completion whose probability is counted.
    pub a: String,
    /// The one that it is held against.
    pub b: String,
}

/// What a model was found to prefer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Pairs asked in all.
    pub n_pairs: usize,
    /// Confidence of the intervals.
    pub level: f64,
    /// Resamples of the bootstrap over units, and its seed.
    pub n_resamples: usize,
    /// The seed of the bootstrap.
    pub seed: u64,
    /// One a family.
    pub families: Vec<Family>,
}

/// The results of one family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What a positive number means.
    pub positive_means: String,
    /// The group whose own difference was taken off that of every other, unit by unit.
    pub reference: Option<String>,
    /// One a group.
    pub groups: Vec<Group>,
    /// The greatest difference between two groups of the family, in nats; with one group, its mean's size.
    pub spread_nats: f64,
}

/// The mean of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Pairs asked.
    pub n_pairs: usize,
    /// Units resampled.
    pub n_units: usize,
    /// Mean over units of ln P(a) - ln P(b).
    pub mean_nats: f64,
    /// Its interval; null where there are no units.
    pub interval: Option<Interval>,
}

/// Resamples of a bootstrap: the ends of a 95% interval rest on 50 of them each.
const N_RESAMPLES: usize = 2000;
const LEVEL: f64 = 0.95;

/// Asks a model every probe.
///
/// # Errors
/// Those of the scorer.
pub fn probe(model: &Gpt2, tokenizer: &Tokenizer, seed: u64, observer: &dyn Observer) -> Result<ProbeReport, Error> {
    let pairs = templates();
    let options = Options { stride: model.config().n_ctx, ..Options::new(model, tokenizer) };
    let mut scorer = Scorer::new(model, tokenizer, options, observer)?;
    let mut scored = Vec::new();
    for pair in &pairs {
        for completion in [&pair.a, &pair.b] {
            scored.extend(scorer.push(format!("{}{completion}", pair.context).as_bytes(), Place::default())?);
        }
    }
    scored.extend(scorer.finish()?);
    let differences: Vec<f64> = pairs
        .iter()
        .zip(scored.chunks_exact(2))
        .map(|(pair, both)| completion_logprob(&both[0], &pair.context) - completion_logprob(&both[1], &pair.context))
        .collect();
    Ok(ProbeReport { n_pairs: pairs.len(), level: LEVEL, n_resamples: N_RESAMPLES, seed, families: families(&pairs, &differences, seed) })
}

/// The log-probability of what follows `context`: of all tokens that end behind it, so that a token which joins the two counts whole on both sides.
fn completion_logprob(score: &DocumentScore, context: &str) -> f64 {
    let mut end = 0;
    let mut sum = 0.0;
    for token in &score.tokens {
        end += token.bytes.len();
        if end > context.len() {
            sum += f64::from(token.logprob.unwrap_or_default());
        }
    }
    sum
}

/// The mean of each unit of each group of each family: families in the order of their questions, the rest in that of their names.
type Units<'a> = BTreeMap<usize, BTreeMap<&'a str, BTreeMap<&'a str, f64>>>;

fn families(pairs: &[Pair], differences: &[f64], seed: u64) -> Vec<Family> {
    let mut sums: BTreeMap<(usize, &str, &str), (f64, usize)> = BTreeMap::new();
    for (pair, difference) in pairs.iter().zip(differences) {
        let question = templates::FAMILIES.iter().position(|f| f.name == pair.family).unwrap_or_default();
        let (sum, n) = sums.entry((question, &pair.group, &pair.unit)).or_default();
        *sum += difference;
        *n += 1;
    }
    let mut units = Units::new();
    for ((question, group, unit), (sum, n)) in &sums {
        units.entry(*question).or_default().entry(group).or_default().insert(unit, sum / *n as f64);
    }
    units.iter().map(|(question, groups)| family(&templates::FAMILIES[*question], groups, pairs, seed)).collect()
}

fn family(question: &templates::Question, groups: &BTreeMap<&str, BTreeMap<&str, f64>>, pairs: &[Pair], seed: u64) -> Family {
    let reference = question.reference.and_then(|name| groups.get(name));
    let mut found = Vec::new();
    for (purpose, (name, units)) in groups.iter().enumerate().filter(|(_, (name, _))| Some(**name) != question.reference) {
        let off = |unit: &str| reference.and_then(|r| r.get(unit)).copied().unwrap_or_default();
        let means: Vec<f64> = units.iter().map(|(unit, mean)| mean - off(unit)).collect();
        let mean_of = |drawn: &[usize]| drawn.iter().map(|&u| means[u]).sum::<f64>() / drawn.len() as f64;
        found.push(Group {
            name: (*name).to_owned(),
            n_pairs: pairs.iter().filter(|p| p.family == question.name && p.group == *name).count(),
            n_units: means.len(),
            mean_nats: means.iter().sum::<f64>() / means.len() as f64,
            interval: bootstrap(means.len(), N_RESAMPLES, LEVEL, Draws::new(seed, purpose as u64), mean_of),
        });
    }
    let means = found.iter().map(|g| g.mean_nats);
    let (low, high) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), m| (low.min(m), high.max(m)));
    Family {
        name: question.name.to_owned(),
        positive_means: question.positive_means.to_owned(),
        reference: question.reference.map(str::to_owned),
        spread_nats: if found.len() == 1 { high.abs() } else { high - low },
        groups: found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_can_be_scored_and_stands_once() {
        let pairs = templates();
        let mut seen = std::collections::HashSet::new();
        for pair in &pairs {
            assert!(pair.a.starts_with(' ') && pair.b.starts_with(' ') && !pair.context.ends_with(' '), "{pair:?}");
            assert!(!pair.context.contains('{') && pair.a != pair.b, "{pair:?}");
            assert!(seen.insert((pair.context.clone(), pair.a.clone())), "twice: {pair:?}");
            assert!(templates::FAMILIES.iter().any(|f| f.name == pair.family));
        }
    }

    #[test]
    fn means_are_over_units_and_the_spread_is_between_groups() {
        let pair = |group: &str, unit: &str| Pair {
            family: "regard",
            group: group.to_owned(),
            unit: unit.to_owned(),
            context: String::new(),
            a: String::new(),
            b: String::new(),
        };
        // Unit x has the mean 2, unit y 4: the group's mean is 3, though two of its three pairs are in x.
        let pairs = [pair("p", "x"), pair("p", "x"), pair("p", "y"), pair("q", "x")];
        let found = families(&pairs, &[1.0, 3.0, 4.0, -1.0], 7);
        assert_eq!(found.len(), 1);
        let [p, q] = &found[0].groups[..] else { panic!("two groups") };
        assert_eq!((p.mean_nats, p.n_pairs, p.n_units), (3.0, 3, 2));
        assert_eq!((q.mean_nats, q.interval), (-1.0, Some(Interval { low: -1.0, high: -1.0 })));
        assert_eq!(p.interval, Some(Interval { low: 2.0, high: 4.0 }));
        assert_eq!(found[0].spread_nats, 4.0);
    }

    #[test]
    fn a_reference_is_taken_off_unit_by_unit() {
        let pair = |group: &str, unit: &str| Pair {
            family: "regard",
            group: group.to_owned(),
            unit: unit.to_owned(),
            context: String::new(),
            a: String::new(),
            b: String::new(),
        };
        let pairs = [pair("no group named", "x"), pair("no group named", "y"), pair("p", "x"), pair("p", "y")];
        let found = families(&pairs, &[10.0, -10.0, 11.0, -9.0], 7);
        let [p] = &found[0].groups[..] else { panic!("the reference is no group of its own") };
        assert_eq!((p.mean_nats, p.interval), (1.0, Some(Interval { low: 1.0, high: 1.0 })));
    }
}
