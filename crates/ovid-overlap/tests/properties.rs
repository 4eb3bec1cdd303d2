//! The Bloom path, the exact path and a naive set give the same answer; what was planted is found, and nothing else.

mod common;

use common::{corpus, n_grams, naive, random_text, words};
use ovid_overlap::{Build, Index, Words, spans};
use ovid_stats::Draws;
use proptest::prelude::*;

fn small(n: u32) -> Build {
    Build { n, threads: 2, ..Build::default() }
}

/// Texts that share much: few words, so that n-grams come again.
fn texts(most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("(?s)([abAB\u{e9}\u{c9}1]{1,2}[ .\n'\u{2014}]{1,2}){0,25}", 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn filter_exact_index_and_naive_set_agree(training in texts(6), set in texts(6), n in 1_u32..5) {
        prop_assume!(training.iter().any(|t| words(t).len() >= n as usize));
        // A filter so bad that the exact index has work to do, and the paper's.
        for false_positive_rate in [0.3, 1e-8] {
            let corpus = corpus(&training, &Build { false_positive_rate, ..small(n) });
            let naive = naive(&training, n as usize);
            prop_assert_eq!(corpus.built.index.distinct, naive.len() as u64);
            let measured = corpus.measure(&set);
            let mut distinct = std::collections::HashSet::new();
            for (text, found) in set.iter().zip(&measured.documents) {
                let n_grams = n_grams(text, n as usize);
                let hits = n_grams.iter().filter(|g| naive.contains(*g)).count();
                prop_assert_eq!((found.n_grams, found.hits), (n_grams.len() as u64, hits as u64));
                let read = Words::of(text);
                // One by one, without the sorting by segments; and the exact index alone.
                let one_by_one = corpus.index.hits(&read);
                for (i, (n_gram, hash)) in n_grams.iter().zip(read.hashes(n as usize)).enumerate() {
                    prop_assert_eq!(one_by_one[i], naive.contains(n_gram));
                    prop_assert_eq!(corpus.index.places(hash).len() > 0, naive.contains(n_gram));
                }
                distinct.extend(n_grams);
            }
            prop_assert_eq!(measured.distinct, Some(distinct.len() as u64));
        }
    }

    #[test]
    fn spans_are_runs_that_stand_in_one_training_document_and_hold_every_hit_once(training in texts(6), text in texts(2), n in 1_u32..5) {
        prop_assume!(training.iter().any(|t| words(t).len() >= n as usize));
        let corpus = corpus(&training, &small(n));
        let of_training: Vec<Vec<String>> = training.iter().map(|t| words(t)).collect();
        let read = Words::of(&text[0]);
        let own = words(&text[0]);
        let hits = corpus.index.hits(&read);
        let mut held = vec![0; hits.len()];
        for span in spans(&corpus.index, &read) {
            let run = &own[span.first_word..span.first_word + span.n_words];
            let place = span.place;
            prop_assert_eq!(run, &of_training[place.document as usize][place.word as usize..][..span.n_words]);
            let goes_on = own.get(span.first_word..=span.first_word + span.n_words);
            let longer = |t: &Vec<String>| goes_on.is_some_and(|run| t.windows(run.len()).any(|w| w == run));
            prop_assert!(!of_training.iter().any(longer), "the span could be longer");
            held[span.first_word..=span.first_word + span.n_words - n as usize].iter_mut().for_each(|h| *h += 1);
        }
        prop_assert_eq!(held, hits.iter().map(|h| i32::from(*h)).collect::<Vec<_>>());
    }
}

/// Copies of 8 to 40 words at the start, in the middle and at the end of documents: each is found whole, at its place; a copy of 7 words is not.
#[test]
fn planted_copies_are_found_at_every_boundary_and_nothing_where_none_was() {
    let draws = Draws::new(11, 0);
    let training: Vec<String> = (0..20).map(|d| random_text(draws, d << 20, 400, 5000)).collect();
    let corpus = corpus(&training, &small(8));
    let of_training: Vec<Vec<String>> = training.iter().map(|t| words(t)).collect();
    let other = |at: u64, n| random_text(Draws::new(12, 0), at << 20, n, 1_000_000).replace('w', "v").replace('W', "V");
    let mut planted = Vec::new();
    for (case, n_words) in (7..=40_usize).enumerate() {
        for (where_from, from) in [0, 100, 400 - n_words].into_iter().enumerate() {
            let document = (case * 3 + where_from) % 20;
            let copy = of_training[document][from..from + n_words].iter().map(|w| w.to_uppercase()).collect::<Vec<_>>();
            let before = other(case as u64, [0, 30, 60][where_from]);
            let after = other(1000 + case as u64, [60, 30, 0][where_from]);
            // Another case and other punctuation than the training text, and none at the very ends.
            planted.push((format!("{before}\u{ab}{}\u{bb}{after}", copy.join(";\u{2028}")), document, from, n_words, words(&before).len()));
        }
    }
    let texts: Vec<&str> = planted.iter().map(|p| p.0.as_str()).collect();
    let measured = corpus.measure(&texts);
    for ((text, document, from, n_words, first_word), found) in planted.iter().zip(&measured.documents) {
        assert_eq!(found.hits, (n_words + 1).saturating_sub(8) as u64, "{text}");
        let spans = spans(&corpus.index, &Words::of(text));
        if *n_words < 8 {
            assert!(spans.is_empty());
            continue;
        }
        let [span] = spans[..] else { panic!("{spans:?}") };
        assert_eq!((span.first_word, span.n_words), (*first_word, *n_words));
        assert_eq!((span.place.document as usize, span.place.word as usize, span.n_places), (*document, *from, 1));
    }
    let clean: Vec<String> = (0..50).map(|i| other(5000 + i, 300)).collect();
    assert_eq!(corpus.measure(&clean).figures.hits, 0);
}

#[test]
fn an_n_gram_never_crosses_documents() {
    let corpus = corpus(&["a b c d", "e f g h"], &small(4));
    let found = corpus.measure(&["a b c d e f g h"]);
    assert_eq!((found.figures.n_grams, found.figures.hits), (5, 2));
}

#[test]
fn threads_and_memory_change_no_byte_of_an_index() {
    let draws = Draws::new(3, 0);
    let training: Vec<String> = (0..50).map(|d| random_text(draws, d << 20, 2000, 3000)).collect();
    let first = corpus(&training, &small(8));
    let bytes = std::fs::read(first.index.path()).unwrap();
    for (threads, memory_bytes) in [(1, 4 << 30), (3, 1 << 20), (2, 0)] {
        let again = corpus(&training, &Build { threads, memory_bytes, ..small(8) });
        assert_eq!(again.built.spilled_bytes > 0, memory_bytes < 4 << 30);
        // The name of the folder stands in the documents' table; everything before it is the same.
        let other = std::fs::read(again.index.path()).unwrap();
        assert_eq!(bytes.len(), other.len());
        let differing = bytes.iter().zip(&other).position(|(a, b)| a != b).unwrap_or(bytes.len());
        assert!(differing > bytes.len() - 50 * 300, "byte {differing} of {}", bytes.len());
    }
    assert_eq!(first.built.index.distinct, naive(&training, 8).len() as u64);
}

#[test]
fn the_rate_is_bounded_and_random_strings_are_not_found() {
    let draws = Draws::new(4, 0);
    let training: Vec<String> = (0..20).map(|d| random_text(draws, d << 20, 2000, 100_000)).collect();
    let corpus = corpus(&training, &small(8));
    let rate = corpus.built.index.false_positive_rate;
    assert!(rate > 1e-10 && rate <= 1e-8, "{rate}");
    let proof = ovid_overlap::random_strings(&corpus.index, 100_000, 1);
    assert_eq!((proof.n_tried, proof.n_found), (100_000, 0));
}

/// A filter of 1e-3 to 1e-5 in an index: what it lets through wrongly is what its set bits say, and the exact index stops all of it.
#[test]
fn the_rate_of_a_whole_index_is_the_observed_one() {
    let draws = Draws::new(6, 0);
    let training: Vec<String> = (0..10).map(|d| random_text(draws, d << 20, 20_000, 100_000)).collect();
    for rate in [1e-3, 1e-4, 1e-5] {
        let corpus = corpus(&training, &Build { false_positive_rate: rate, ..small(8) });
        let computed = corpus.built.index.false_positive_rate;
        assert!(computed <= rate && computed > 0.2 * rate, "{computed}");
        let others = Draws::new(7, 0);
        let hashes: Vec<u64> = (0..4_000_000).map(|i| others.u64_at(i)).collect();
        let hits = corpus.index.look_up(&hashes);
        let false_positives = hits.iter().filter(|h| **h == ovid_overlap::Hit::FalsePositive).count() as f64;
        let expected = computed * hashes.len() as f64;
        assert!((false_positives - expected).abs() < 4.0 * expected.sqrt(), "{false_positives} where {expected} are expected");
        assert!(!hits.contains(&ovid_overlap::Hit::Present));
    }
}

#[test]
fn an_index_knows_its_documents() {
    let corpus = corpus(&["a b c d e f g h i", ""], &small(8));
    let index: &Index = &corpus.index;
    let entry = index.document(1).unwrap();
    assert_eq!((index.n_documents(), entry.source.as_str(), entry.id.as_str(), entry.line, entry.n_words), (2, "training", "2", 2, 0));
    assert!(index.document(2).is_none());
}
