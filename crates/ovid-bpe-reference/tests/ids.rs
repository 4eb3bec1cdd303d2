//! The same ids as tiktoken and as Hugging Face tokenizers.

mod common;

use common::{Three, shared};
use ovid_io::documents::{Documents, Limits};
use proptest::prelude::*;

/// Every so many-th document of the corpus is compared, unless `OVID_FULL` is set.
const EVERY: usize = 40;

#[test]
fn on_the_corpus() {
    let Some(data) = shared() else { return };
    let all = Three::all();
    let every = if std::env::var_os("OVID_FULL").is_some() { 1 } else { EVERY };
    let (mut n_documents, mut n_bytes, mut n_tokens) = (0, 0, 0);
    for document in Documents::open(&[data.join("corpus")], Limits::default()).unwrap().step_by(every) {
        let document = document.unwrap();
        for three in &all {
            assert_eq!(three.difference(&document.text), None, "{} {}", document.source, document.id);
        }
        n_documents += 1;
        n_bytes += document.text.len();
        n_tokens += all[1].ours.encode(document.text.as_bytes()).len();
    }
    println!("{n_documents} documents, {n_bytes} bytes, {n_tokens} tokens of GPT-2: no difference");
    assert!(n_documents > 1000);
}

/// Characters of every class, those that the pattern names more often.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        3 => prop::char::range(' ', '~'),
        3 => prop::sample::select("'stremvld  \n\t\r\u{a0}\u{2028}\u{3000}\u{85}\u{200b}aZ09!?-".chars().collect::<Vec<_>>()),
        2 => prop::char::range('\u{80}', '\u{2fff}'),
        1 => prop::char::range('\u{3000}', '\u{ffff}'),
        1 => prop::char::range('\u{1f300}', '\u{1faff}'),
        1 => any::<char>(),
    ]
}

fn check(texts: &[String]) {
    thread_local!(static ALL: Vec<Three> = Three::all());
    ALL.with(|all| {
        for (three, text) in all.iter().flat_map(|three| texts.iter().map(move |text| (three, text))) {
            assert_eq!(three.difference(text), None, "{text:?}");
        }
    });
}

/// Both properties stand in one test, so that the references are built once.
#[test]
fn on_random_unicode_and_random_bytes() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let unicode = prop::collection::vec(prop::collection::vec(character(), 0..200).prop_map(|chars| chars.into_iter().collect()), 64);
    // Bytes that happen to be no UTF-8 reach the references, which take text alone, as U+FFFD: here for the merges, in tests/pattern.rs for the words.
    let bytes = prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        64,
    );
    for _ in 0..40 {
        use proptest::strategy::ValueTree;
        check(&unicode.new_tree(&mut runner).unwrap().current());
        check(&bytes.new_tree(&mut runner).unwrap().current());
    }
}
