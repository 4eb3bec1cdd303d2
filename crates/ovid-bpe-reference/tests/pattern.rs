//! Words as `fancy-regex` finds them with GPT-2's pattern; bytes that are not UTF-8 as if U+FFFD stood for each.

mod common;

use common::PATTERN;
use fancy_regex::Regex;
use proptest::prelude::*;

/// The words of any bytes by the regex: each byte that is no part of a character is shown to it as U+FFFD.
fn by_regex(regex: &Regex, bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut text, mut places) = (String::new(), Vec::new());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            places.resize(text.len() + 1, at);
            text.push(c);
            at += c.len_utf8();
        }
        for _ in chunk.invalid() {
            places.resize(text.len() + 1, at);
            text.push('\u{FFFD}');
            at += 1;
        }
    }
    places.resize(text.len() + 1, at);
    // Only the first byte of a character has a place of its own; words begin and end there.
    regex.find_iter(&text).map(|word| word.unwrap()).map(|word| bytes[places[word.start()]..places[word.end()]].to_vec()).collect()
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..6),
        4 => prop::sample::select(vec!["'s", "'re", "'ll", "'l", "'", " ", "  ", "\n", "\u{3000}", "\u{a0}", "é", "東", "7", "½", "🦙", "!", "word", " long-ish words "])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
    ]
}

#[test]
fn on_any_bytes() {
    let regex = Regex::new(PATTERN).unwrap();
    let strategy = prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat());
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() });
    runner
        .run(&strategy, |bytes| {
            let ours: Vec<Vec<u8>> = ovid_bpe::words(&bytes).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(ours, by_regex(&regex, &bytes));
            Ok(())
        })
        .unwrap();
}

#[test]
fn on_every_character_in_every_neighbourhood() {
    let regex = Regex::new(PATTERN).unwrap();
    for c in (0..0x11_0000).filter_map(char::from_u32) {
        let text = format!("a{c}{c}1{c} {c}!{c}\n {c}");
        let ours: Vec<&str> = ovid_bpe::words(text.as_bytes()).map(|w| std::str::from_utf8(w).unwrap()).collect();
        let theirs: Vec<&str> = regex.find_iter(&text).map(|w| w.unwrap().as_str()).collect();
        assert_eq!(ours, theirs, "{c:?}");
    }
}
