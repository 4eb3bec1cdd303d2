//! Training: the same vocabulary as a trainer that recounts everything each time, whatever the threads and the order of documents.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use ovid_bpe::{Error, Tokenizer};
use ovid_io::{Observer, Silent};
use proptest::prelude::*;

fn tokens(tokenizer: &Tokenizer) -> Vec<Vec<u8>> {
    (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.token_bytes(id).unwrap().to_vec()).collect()
}

/// The straightforward trainer: count all pairs of all words, join the best everywhere, begin again.
fn naive(docs: &[Vec<u8>], vocab_size: usize) -> Vec<Vec<u8>> {
    let mut learnt: Vec<Vec<u8>> = ovid_bpe::train(std::iter::empty::<&str>(), 257, 1, &Silent).map(|t| tokens(&t)).unwrap();
    let end_of_text = learnt.pop().unwrap();
    let id_of_byte = |learnt: &[Vec<u8>], byte: u8| learnt.iter().position(|token| token == &[byte]).unwrap();
    let mut words: Vec<Vec<usize>> =
        docs.iter().flat_map(|doc| ovid_bpe::words(doc)).map(|word| word.iter().map(|&b| id_of_byte(&learnt, b)).collect()).collect();
    while learnt.len() + 1 < vocab_size {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for word in &words {
            for pair in word.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += 1;
            }
        }
        // The first of the highest: a tie goes to the lowest pair of ids.
        let Some(most) = counts.values().copied().max().filter(|&n| n >= 2) else { break };
        let (left, right) = counts.into_iter().find(|&(_, n)| n == most).unwrap().0;
        let joined = learnt.len();
        learnt.push([&learnt[left][..], &learnt[right]].concat());
        for word in &mut words {
            let mut i = 0;
            while i + 1 < word.len() {
                if (word[i], word[i + 1]) == (left, right) {
                    word[i] = joined;
                    word.remove(i + 1);
                }
                i += 1;
            }
        }
    }
    learnt.push(end_of_text);
    learnt
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    // Few letters, so that pairs overlap and counts tie.
    let word = prop::collection::vec(prop::sample::select(b"aaab c".to_vec()), 0..40);
    let text = prop::sample::select(vec!["low lower lowest ", "newer wider ", "the cat sat on the mat ", "東京 ", "aaaaaaaa"])
        .prop_map(|t| t.as_bytes().to_vec());
    prop::collection::vec(prop_oneof![word, text, prop::collection::vec(any::<u8>(), 0..8)], 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn learns_what_the_naive_trainer_learns(docs in prop::collection::vec(document(), 0..8), n in 257_usize..330) {
        let learnt = ovid_bpe::train(docs.iter(), n, 1, &Silent).unwrap();
        prop_assert_eq!(tokens(&learnt), naive(&docs, n));
    }
}

#[test]
fn learns_what_the_naive_trainer_learns_from_a_source_file() {
    let docs = [include_bytes!("training.rs").to_vec(), include_bytes!("properties.rs").to_vec()];
    let learnt = ovid_bpe::train(docs.iter(), 600, 2, &Silent).unwrap();
    assert_eq!(tokens(&learnt), naive(&docs, 600));
}

#[test]
fn threads_and_order_change_nothing() {
    let mut docs: Vec<&str> = include_str!("properties.rs").lines().chain(include_str!("training.rs").lines()).collect();
    // Enough for several batches.
    let many = docs.repeat(200);
    let expected = tokens(&ovid_bpe::train(many.iter(), 500, 1, &Silent).unwrap());
    docs.reverse();
    let many = docs.repeat(200);
    for threads in [0, 1, 2, 3, 7] {
        assert_eq!(tokens(&ovid_bpe::train(many.iter(), 500, threads, &Silent).unwrap()), expected, "{threads} threads");
    }
}

#[test]
fn the_vocabulary_is_bytes_then_merges_then_end_of_text() {
    let learnt = ovid_bpe::train(["ab ab ab"].iter(), 300, 1, &Silent).unwrap();
    let all = tokens(&learnt);
    assert_eq!(all[..2], [b"!".to_vec(), b"\"".to_vec()]);
    assert_eq!(all[255], [0xAD]);
    // It ends where no pair occurs twice.
    assert_eq!(all[256..], [b"ab".to_vec(), b" ab".to_vec(), b"<|endoftext|>".to_vec()]);
    assert_eq!(learnt.end_of_text(), Some(258));
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for size in [0, 256, usize::MAX] {
        let error = ovid_bpe::train(["a"].iter(), size, 1, &Silent).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot train a vocabulary: a vocabulary has 257 to 4194304 tokens, not {size}"));
    }
}

#[test]
fn stops_when_told_to() {
    struct After(AtomicUsize, usize);
    impl Observer for After {
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= self.1
        }
    }
    let doc = include_str!("training.rs").repeat(300);
    for calls in [0, 1, 3, 5] {
        let outcome = ovid_bpe::train(std::iter::repeat_n(&doc, 3), 900, 2, &After(AtomicUsize::new(0), calls));
        assert!(matches!(outcome, Err(Error::Cancelled)), "{calls}");
    }
}
