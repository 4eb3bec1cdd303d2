//! What holds for every text: it comes back, its tokens lie side by side, threads and streams change nothing.

use ovid_bpe::{SpecialPolicy, StreamDecoder, Tokenizer, Utf8Stream};
use ovid_io::Silent;
use proptest::prelude::*;

fn tokenizer() -> &'static Tokenizer {
    static TOKENIZER: std::sync::OnceLock<Tokenizer> = std::sync::OnceLock::new();
    TOKENIZER.get_or_init(|| {
        let text =
            include_str!("properties.rs").to_owned() + "naïve Größe 東京 🦙🦙🦙 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        ovid_bpe::train([&text, &text].iter(), 700, 1, &Silent).unwrap()
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(vec!["the ", "fn ", "let", "aaaaaaa", "    ", "é", "🦙", "東京", "'s", "<|endoftext|>", "<|endof", "\n\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        any::<String>().prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// The merge loop as the paper's reference has it: join the pair of the lowest rank wherever it occurs, until none is left.
fn naive(tokenizer: &Tokenizer, text: &[u8]) -> Vec<u32> {
    // A trained vocabulary's ranks are its ids.
    let id_of = |bytes: &[u8]| (0..tokenizer.vocab_size() as u32 - 1).find(|&id| tokenizer.token_bytes(id) == Some(bytes));
    let mut ids = Vec::new();
    for word in ovid_bpe::words(text) {
        let mut parts: Vec<Vec<u8>> = word.iter().map(|&byte| vec![byte]).collect();
        while let Some(joined) = parts.windows(2).filter_map(|pair| id_of(&pair.concat())).min() {
            let joined = tokenizer.token_bytes(joined).unwrap();
            let mut next: Vec<Vec<u8>> = Vec::new();
            let mut i = 0;
            while i < parts.len() {
                if i + 1 < parts.len() && [&parts[i][..], &parts[i + 1]].concat() == joined {
                    next.push(joined.to_vec());
                    i += 2;
                } else {
                    next.push(parts[i].clone());
                    i += 1;
                }
            }
            parts = next;
        }
        ids.extend(parts.iter().map(|part| id_of(part).unwrap()));
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_string_comes_back(text in bytes()) {
        let tokenizer = tokenizer();
        for policy in [SpecialPolicy::Text, SpecialPolicy::Allow] {
            let ids = tokenizer.encode_with(&text, policy).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), &text[..]);
        }
    }

    #[test]
    fn tokens_lie_side_by_side(text in bytes()) {
        let tokenizer = tokenizer();
        let encoding = tokenizer.encode_offsets(&text, SpecialPolicy::Allow).unwrap();
        prop_assert_eq!(&encoding.ids, &tokenizer.encode_with(&text, SpecialPolicy::Allow).unwrap());
        let mut at = 0;
        for (&id, &(start, end)) in encoding.ids.iter().zip(&encoding.offsets) {
            prop_assert_eq!(start, at);
            prop_assert_eq!(tokenizer.token_bytes(id).unwrap(), &text[start..end]);
            at = end;
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn a_stream_gives_the_text_and_never_half_a_character(text in bytes()) {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode(&text);
        let mut stream = StreamDecoder::new(tokenizer);
        let mut joined = String::new();
        let mut seen = Vec::new();
        for id in ids {
            seen.extend_from_slice(tokenizer.token_bytes(id).unwrap());
            joined += &stream.push(id).unwrap();
            // Nothing that is complete is kept back.
            let complete = match std::str::from_utf8(&seen) {
                Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&seen[..error.valid_up_to()]).into_owned(),
                Ok(text) => text.to_owned(),
                Err(_) => continue,
            };
            prop_assert_eq!(&joined, &complete);
        }
        joined += &stream.finish();
        prop_assert_eq!(joined, String::from_utf8_lossy(&text));
    }

    #[test]
    fn a_stream_of_single_bytes_gives_the_same(text in bytes()) {
        let mut stream = Utf8Stream::default();
        let mut joined: String = text.iter().map(|&byte| stream.push(&[byte])).collect();
        joined += &stream.finish();
        prop_assert_eq!(joined, String::from_utf8_lossy(&text));
    }

    #[test]
    fn batches_are_their_texts(texts in prop::collection::vec(bytes(), 0..20), threads in 0_usize..9) {
        let tokenizer = tokenizer();
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let alone: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text)).collect();
        prop_assert_eq!(tokenizer.encode_batch(&texts, threads), alone);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ids_are_those_of_the_naive_loop(text in bytes(), n in 40_usize..200) {
        // Words from 48 bytes on take another path: letters make one.
        let text = [&text[..], &b"letthefnaaa".repeat(20)[..n]].concat();
        prop_assert_eq!(tokenizer().encode(&text), naive(tokenizer(), &text));
    }
}

#[test]
fn a_long_text_is_cut_without_a_trace() {
    let tokenizer = tokenizer();
    let text = include_bytes!("properties.rs").repeat(200);
    let spaces = vec![b' '; 1 << 20];
    let texts: [&[u8]; 4] = [&text, b"", &spaces, b"short"];
    let alone: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text)).collect();
    for threads in [1, 2, 3, 7] {
        assert_eq!(tokenizer.encode_batch(&texts, threads), alone);
    }
}

#[test]
fn one_tokenizer_serves_many_threads() {
    let text = include_bytes!("properties.rs");
    let expected = tokenizer().encode(text);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(tokenizer().encode(text), expected)));
        }
    });
}

#[test]
fn ids_outside_the_vocabulary_are_refused() {
    let tokenizer = tokenizer();
    let error = tokenizer.decode(&[0, 700]).unwrap_err();
    assert_eq!(error.to_string(), "token 700 is outside the vocabulary of 700 tokens");
    assert!(StreamDecoder::new(tokenizer).push(u32::MAX).is_err());
    assert_eq!(tokenizer.token_bytes(700), None);
}
