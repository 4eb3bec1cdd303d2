//! The same vocabulary as Hugging Face's trainer learns, and files that it loads.

mod common;

use common::{shared, small};
use ovid_bpe::{SpecialPolicy, Tokenizer};
use ovid_io::Silent;
use ovid_io::documents::{Documents, Limits};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

/// Learns with Hugging Face's trainer and gives each token's spelling by id, its special token moved from the first place to the last.
fn hugging_face(docs: &[String], vocab_size: usize) -> Vec<String> {
    let mut tokenizer = TokenizerBuilder::<BPE, tokenizers::NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>::new()
        .with_model(BPE::default())
        .with_pre_tokenizer(Some(ByteLevel::new(false, true, true)))
        .with_normalizer(None)
        .with_post_processor(None)
        .with_decoder(None)
        .build()
        .unwrap();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from("<|endoftext|>", true)])
        .build();
    tokenizer.train(&mut trainer, docs.iter().map(String::as_str)).unwrap();
    let mut tokens: Vec<(u32, String)> = tokenizer.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort();
    tokens.rotate_left(1);
    tokens.into_iter().map(|(_, token)| token).collect()
}

fn ours(tokenizer: &Tokenizer) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    tokenizer.save_hf(dir.path()).unwrap();
    let saved = tokenizers::Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
    (0..tokenizer.vocab_size() as u32).map(|id| saved.id_to_token(id).unwrap()).collect()
}

#[test]
fn learns_what_hugging_face_learns() {
    let own = vec![
        include_str!("../../ovid-bpe/src/train/pairs.rs").to_owned(),
        include_str!("ids.rs").to_owned(),
        "aaaa aaaaaaa abababab 東京東京".into(),
    ];
    let mut cases = vec![(own, 800)];
    if let Some(data) = shared() {
        let files = ["nltk", "gum", "recipes", "ud_ewt"].map(|name| data.join(format!("corpus/{name}.jsonl.zst")));
        let docs = Documents::open(&files, Limits::default()).unwrap().step_by(3).map(|d| d.unwrap().text).collect();
        cases.push((docs, 5000));
    }
    for (docs, vocab_size) in cases {
        let learnt = ovid_bpe::train(docs.iter(), vocab_size, 2, &Silent).unwrap();
        assert_eq!(learnt.vocab_size(), vocab_size);
        assert!(ours(&learnt) == hugging_face(&docs, vocab_size));
    }
}

#[test]
fn written_files_load_elsewhere() {
    let tokenizer = small();
    let dir = tempfile::tempdir().unwrap();
    tokenizer.save_hf(dir.path()).unwrap();
    let theirs = tokenizers::Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
    for text in ["fn words(text: &[u8])", "a<|endoftext|>b <|endoftext|>", "  \n\n naïve 東京", ""] {
        let ids = tokenizer.encode_with(text.as_bytes(), SpecialPolicy::Allow).unwrap();
        assert_eq!(theirs.encode_fast(text, true).unwrap().get_ids(), ids, "{text:?}");
        assert_eq!(theirs.decode(&ids, false).unwrap(), text);
    }
}
