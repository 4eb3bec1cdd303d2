//! Near-duplicates and templates among documents, by `MinHash` (Broder 1997) and banded buckets (Leskovec et al. 2014, chapter 3).
//!
//! Near-duplicates share runs of three words; templates share them after numbers and capitalised words were taken for blanks: "Dear Ann, your order 17" and "Dear Bob,
//! your order 23" are one template.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Entry;
use crate::clean;

/// Why documents stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nearly the same words.
    NearDuplicate,
    /// The same words but for numbers and names.
    Template,
}

/// Documents that stand together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Why.
    pub kind: Kind,
    /// Their names.
    pub members: Vec<String>,
    /// The beginning of the first of them.
    pub begins: String,
}

const N_HASHES: usize = 64;
const BAND: usize = 4;
const WORDS: usize = 3;
/// The least estimated share of common runs of words.
const LEAST_SHARE: f64 = 0.5;
/// Of a long document this much is compared.
const MAX_BYTES: usize = 20_000;

/// The clusters, largest first. A template whose members are all near-duplicates of each other is not listed again.
pub fn clusters(entries: &[Entry]) -> Vec<Cluster> {
    let texts: Vec<String> = entries.iter().map(|e| clean(&e.text[..e.text.floor_char_boundary(MAX_BYTES)])).collect();
    let duplicates = joined(&texts.iter().map(|t| signature(t.split(' ').map(str::to_lowercase))).collect::<Vec<_>>());
    let templates = joined(&texts.iter().map(|t| signature(t.split(' ').map(blanked))).collect::<Vec<_>>());
    let mut all = Vec::new();
    for (kind, sets) in [(Kind::NearDuplicate, &duplicates), (Kind::Template, &templates)] {
        for set in sets {
            if kind == Kind::Template && duplicates.iter().any(|d| set.iter().all(|i| d.contains(i))) {
                continue;
            }
            let begins = texts[set[0]].chars().take(80).collect();
            all.push(Cluster { kind, members: set.iter().map(|i| entries[*i].name.clone()).collect(), begins });
        }
    }
    all.sort_by_key(|c| std::cmp::Reverse(c.members.len()));
    all
}

/// A word of a template: what has a digit, and what begins with a capital, is a blank.
fn blanked(word: &str) -> String {
    if word.contains(|c: char| c.is_ascii_digit()) || word.starts_with(char::is_uppercase) { "_".to_owned() } else { word.to_lowercase() }
}

/// The least hash of all runs of words under each of the hash functions; `None` where there are fewer words than a run has.
fn signature(words: impl Iterator<Item = String>) -> Option<[u64; N_HASHES]> {
    let words: Vec<String> = words.collect();
    let mut least = [u64::MAX; N_HASHES];
    for run in words.windows(WORDS) {
        // A run of blanks alone is in every list of names.
        if run.iter().all(|w| w == "_") {
            continue;
        }
        let hash = xxh3_64_with_seed(run.join(" ").as_bytes(), 0);
        for (i, least) in least.iter_mut().enumerate() {
            // Multiplication by odd numbers and a shift: cheap, and independent enough for an estimate.
            let mixed = (hash ^ (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            *least = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93).min(*least);
        }
    }
    (least[0] != u64::MAX).then_some(least)
}

/// Sets of two or more documents that are joined by pairs alike.
fn joined(signatures: &[Option<[u64; N_HASHES]>]) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..signatures.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut buckets: HashMap<(usize, &[u64]), usize> = HashMap::new();
    for (i, signature) in signatures.iter().enumerate() {
        let Some(signature) = signature else { continue };
        for (band, part) in signature.chunks(BAND).enumerate() {
            // Against the first of its bucket alone: a thousand copies cost a thousand comparisons, not a million.
            let first = *buckets.entry((band, part)).or_insert(i);
            let Some(other) = signatures[first].as_ref().filter(|_| first != i) else { continue };
            let same = signature.iter().zip(other).filter(|(a, b)| a == b).count();
            if same as f64 >= LEAST_SHARE * N_HASHES as f64 {
                let (a, b) = (root(&mut parent, i), root(&mut parent, first));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    let mut sets: HashMap<usize, Vec<usize>> = HashMap::new();
    for i in 0..signatures.len() {
        sets.entry(root(&mut parent, i)).or_default().push(i);
    }
    let mut sets: Vec<Vec<usize>> = sets.into_values().filter(|s| s.len() > 1).collect();
    sets.sort();
    sets
}
