//! Which side of the split a document lies on.
//!
//! The rule is the one that holds everywhere: validation where the first 8 bytes of sha256(source, 0, id) are 0 modulo 50, a cluster of near-duplicates going by its first document, and at
//! least one document a source: of a source without any, the cluster with the lowest number is held out, unless it is the source's only one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Document;

/// What the split must know of each source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sources(BTreeMap<String, Source>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    lowest: u64,
    highest: u64,
    has_validation: bool,
}

/// The rule, once all sources are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    held_out_too: BTreeSet<u64>,
}

/// The number that the split goes by: that of the cluster's first document.
fn place(document: &Document) -> u64 {
    let (source, id) = document.cluster.as_ref().map_or((&document.source, &document.id), |first| (&first.source, &first.id));
    let digest = ovid_io::digest::sha256(format!("{source}\0{id}").as_bytes());
    u64::from_str_radix(&digest[..16], 16).unwrap_or_default()
}

impl Sources {
    pub fn of(documents: &[Document]) -> Self {
        let mut sources = Self::default();
        for document in documents {
            let place = place(document);
            sources.add(&document.source, Source { lowest: place, highest: place, has_validation: place.is_multiple_of(50) });
        }
        sources
    }

    fn add(&mut self, name: &str, other: Source) {
        let source = self.0.entry(name.to_owned()).or_insert(other);
        source.lowest = source.lowest.min(other.lowest);
        source.highest = source.highest.max(other.highest);
        source.has_validation |= other.has_validation;
    }

    pub fn add_all(&mut self, others: &Self) {
        others.0.iter().for_each(|(name, source)| self.add(name, *source));
    }

    pub fn split(&self) -> Split {
        let none = self.0.values().filter(|source| !source.has_validation && source.lowest < source.highest);
        Split { held_out_too: none.map(|source| source.lowest).collect() }
    }
}

impl Split {
    pub fn is_validation(&self, document: &Document) -> bool {
        let place = place(document);
        place.is_multiple_of(50) || self.held_out_too.contains(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn document(source: &str, id: usize) -> Document {
        Document { source: source.into(), id: id.to_string(), ..Document::default() }
    }

    #[test]
    fn the_rule_is_the_one_that_holds_everywhere() {
        let documents: Vec<_> = (0..2000).map(|i| document("books", i)).collect();
        let split = Sources::of(&documents).split();
        for d in &documents {
            assert_eq!(split.is_validation(d), ovid_io::documents::is_validation(&d.source, &d.id));
        }
    }

    #[test]
    fn every_source_of_two_has_one_held_out_and_one_to_learn_from() {
        for n in 1..40 {
            let documents: Vec<_> = (0..n).map(|i| document(&format!("s{n}"), i)).collect();
            let split = Sources::of(&documents).split();
            let n_held_out = documents.iter().filter(|d| split.is_validation(d)).count();
            assert!(n == 1 || (1..n).contains(&n_held_out), "{n_held_out} of {n}");
        }
    }

    #[test]
    fn a_cluster_goes_by_its_first() {
        let first = document("a", 7);
        let mut other = document("b", 9);
        other.cluster = Some(Name { source: "a".into(), id: "7".into() });
        let sources = Sources::of(&[first.clone(), other.clone(), document("a", 8)]);
        let split = sources.split();
        assert_eq!(split.is_validation(&first), split.is_validation(&other));
    }
}
