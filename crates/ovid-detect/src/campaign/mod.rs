//! Many documents at once: how much of it is machine text, and with what error.
//!
//! In: the documents' scores under a calibration. Out: the fraction with its interval ([`Mixture`]), a test that may be watched while documents arrive ([`Martingale`]),
//! which sources stand out, near-duplicates and templates ([`clusters`]), and a warning where the documents are unlike the calibration's.

mod clusters;
mod martingale;
mod mixture;
mod power;
mod unlike;

use std::collections::BTreeMap;

use ovid_stats::{Interval, discoveries};
use serde::{Deserialize, Serialize};

pub use clusters::{Cluster, Kind, clusters};
pub use martingale::Martingale;
pub use mixture::{Counts, Mixture};
pub use power::{Power, power};
pub use unlike::{Unlike, unlike};

use crate::{Calibration, ScoredText, traits};

/// What a campaign needs of one document.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which of the calibration's lengths it is judged at.
    pub length: usize,
    /// Its score there.
    pub score: f64,
    /// Its traits there.
    pub traits: [f64; crate::TRAITS.len()],
}

impl Member {
    /// A scored document; `None` where it is shorter than the shortest length.
    pub fn new(calibration: &Calibration, scored: &ScoredText) -> Option<Self> {
        let length = calibration.lengths.iter().rposition(|l| l.n_tokens <= scored.tokens.len())?;
        let calibrated = &calibration.lengths[length];
        let statistics = scored.prefix(calibrated.n_tokens)?;
        Some(Self { length, score: calibrated.score(&statistics), traits: traits(&scored.prefix_text(calibrated.n_tokens)) })
    }
}

/// What `ovid detect campaign --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignReport {
    /// Documents.
    pub n_documents: usize,
    /// Those that are as long as the shortest calibrated length.
    pub n_judged: usize,
    /// The fraction of machine text among these, by maximum likelihood; null where there are none.
    pub fraction: Option<f64>,
    /// Its 95% interval, which carries the calibration's own error.
    pub interval: Option<Interval>,
    /// The sequential test of "all of it is human", over the documents in their order.
    pub sequential: Sequential,
    /// Sources by the field that was asked for, and which stand out.
    pub groups: Vec<Group>,
    /// The false-discovery rate of `groups`.
    pub false_discovery_rate: f64,
    /// Near-duplicates and templates.
    pub clusters: Vec<Cluster>,
    /// Traits in which the documents are unlike the calibration's: while there are any, no error rate holds.
    pub unlike: Vec<Unlike>,
    /// SHA-256 of the calibration.
    pub calibration: String,
    /// The seed of resampling and of ties.
    pub seed: u64,
}

/// The state of a sequential test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// Evidence against "all human" after the last document: what a bet of 1 has become. Under "all human" its mean is 1.
    pub e_value: f64,
    /// The greatest it has been.
    pub greatest: f64,
    /// 1 / `greatest`, at most 1: valid whenever one stops.
    pub p_value: f64,
    /// Documents after which it first reached 1 / `level`; null where it never did.
    pub found_after: Option<usize>,
    /// The error that is kept.
    pub level: f64,
}

/// One source of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The field's value.
    pub name: String,
    /// Its documents that could be judged.
    pub n_judged: usize,
    /// Evidence against "all human" after the last of them.
    pub e_value: f64,
    /// Whether it is a discovery at the false-discovery rate.
    pub found: bool,
}

/// How a campaign is judged.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The error of the sequential test.
    pub level: f64,
    /// The false-discovery rate over sources.
    pub false_discovery_rate: f64,
    /// Resamples of the calibration.
    pub n_resamples: usize,
    /// Seed of resampling and of ties.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { level: 0.05, false_discovery_rate: 0.05, n_resamples: 300, seed: 0 }
    }
}

/// A document on its way into a campaign.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its score; `None` where it is too short.
    pub member: Option<Member>,
    /// The text, for clusters.
    pub text: String,
    /// What it is called: file and line.
    pub name: String,
    /// The source, where sources are told apart.
    pub group: Option<String>,
}

/// Judges a campaign.
pub fn judge(calibration: &Calibration, sha256: &str, entries: &[Entry], options: &Options) -> CampaignReport {
    let members: Vec<&Member> = entries.iter().filter_map(|e| e.member.as_ref()).collect();
    let mixture = Mixture::new(calibration, options.n_resamples, options.seed);
    let counts = mixture.count(&members);
    let estimate = (!members.is_empty()).then(|| (mixture.fraction(&counts), mixture.interval(&counts, 0.95)));

    let mut martingale = Martingale::new(calibration, options.seed);
    let mut found_after = None;
    for (i, entry) in entries.iter().enumerate() {
        if let Some(member) = &entry.member
            && martingale.bet(member) >= 1.0 / options.level
            && found_after.is_none()
        {
            found_after = Some(i + 1);
        }
    }
    let mut by_group: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
    for entry in entries {
        if let (Some(group), Some(member)) = (&entry.group, &entry.member) {
            by_group.entry(group).or_default().push(member);
        }
    }
    let mut groups: Vec<Group> = by_group
        .into_iter()
        .map(|(name, members)| {
            let mut martingale = Martingale::new(calibration, options.seed);
            let e_value = members.iter().fold(1.0, |_, member| martingale.bet(member));
            Group { name: name.to_owned(), n_judged: members.len(), e_value, found: false }
        })
        .collect();
    // Benjamini and Hochberg on 1 / e (Wang and Ramdas 2022) holds however the sources hang together: they share one calibration.
    let p: Vec<f64> = groups.iter().map(|g| (1.0 / g.e_value).min(1.0)).collect();
    for i in discoveries(&p, options.false_discovery_rate) {
        groups[i].found = true;
    }
    groups.sort_by(|a, b| b.e_value.total_cmp(&a.e_value).then_with(|| a.name.cmp(&b.name)));

    CampaignReport {
        n_documents: entries.len(),
        n_judged: members.len(),
        fraction: estimate.map(|(fraction, _)| fraction),
        interval: estimate.map(|(_, interval)| interval),
        sequential: Sequential {
            e_value: martingale.wealth(),
            greatest: martingale.greatest(),
            p_value: (1.0 / martingale.greatest()).min(1.0),
            found_after,
            level: options.level,
        },
        groups,
        false_discovery_rate: options.false_discovery_rate,
        clusters: clusters(entries),
        unlike: unlike(calibration, &members),
        calibration: sha256.to_owned(),
        seed: options.seed,
    }
}
