//! Scores held against transformers' logits and against a direct computation from all of Ovid's.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ovid_bpe::Tokenizer;
use ovid_eval::{DocumentScore, Error, Options, Place, Scorer};
use ovid_io::safetensors::SafeTensors;
use ovid_io::{Observer, Silent};
use ovid_model::{Cpu, Gpt2, Output, Segment, Want};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovid-model/tests/fixtures/logits").join(name)
}

fn model(name: &str) -> Gpt2 {
    Gpt2::load(&fixture(name), Cpu::new(1), &Silent).unwrap()
}

/// Ids below 256 are single bytes in every vocabulary that Ovid trains, and the fixtures' models have fewer tokens than that.
fn tokenizer() -> &'static Tokenizer {
    static ONE: OnceLock<Tokenizer> = OnceLock::new();
    ONE.get_or_init(|| ovid_bpe::train(["no text"; 1].iter(), 257, 1, &Silent).unwrap())
}

fn score(model: &Gpt2, options: Options, documents: &[Vec<u32>]) -> Vec<DocumentScore> {
    let mut scorer = Scorer::new(model, tokenizer(), options, &Silent).unwrap();
    let mut all = Vec::new();
    for (line, ids) in (1..).zip(documents) {
        all.extend(scorer.push_ids(ids, Place { file: Some("some.jsonl".to_owned()), line: Some(line) }).unwrap());
    }
    all.extend(scorer.finish().unwrap());
    let lines: Vec<_> = all.iter().map(|score| score.line).collect();
    assert_eq!(lines, (1..=documents.len() as u64).map(Some).collect::<Vec<_>>(), "in the order in which they came");
    all
}

/// Log-probability, rank and entropy of `id` from a row of logits, in double precision.
fn direct(logits: &[f32], id: u32) -> (f64, u32, f64) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    let logprob = |l: f32| f64::from(l - max) - sum.ln();
    let own = logits[id as usize];
    let before = logits.iter().zip(0..).filter(|&(l, i)| *l > own || (*l == own && i < id)).count();
    (logprob(own), 1 + before as u32, logits.iter().map(|l| -logprob(*l) * logprob(*l).exp()).sum())
}

fn numbers<const N: usize>(data: &[u8]) -> Vec<[u8; N]> {
    data.as_chunks::<N>().0.to_vec()
}

#[test]
fn scores_are_those_of_transformers_logits() {
    for name in ["head10", "context1", "head48", "inner7-relu", "silu-by-layer", "tanh-untied", "original-unscaled", "mid"] {
        let model = model(name);
        let n_vocab = model.config().vocab_size;
        let expected = SafeTensors::open(&fixture(name).join("expected.safetensors")).unwrap();
        let tensor = |what: &str, i| expected.raw(&format!("{what}.{i}")).map(|t| numbers::<4>(t.data));
        let mut n_checked = 0;
        for i in 0.. {
            let Some(ids) = tensor("ids", i) else { break };
            let ids: Vec<u32> = ids.into_iter().map(u32::from_le_bytes).collect();
            let logits: Vec<f32> = tensor("logits64", i).unwrap().into_iter().map(f32::from_le_bytes).collect();
            let options = Options { begin: None, stride: model.config().n_ctx, n_top: n_vocab };
            let score = score(&model, options, std::slice::from_ref(&ids)).remove(0);
            assert_eq!((score.tokens[0].logprob, score.tokens[0].rank, score.n_scored), (None, None, ids.len() - 1));
            for (row, token) in logits.chunks(n_vocab).zip(&score.tokens[1..]) {
                let (logprob, rank, entropy) = direct(row, token.id);
                assert!((f64::from(token.logprob.unwrap()) - logprob).abs() < 4e-4, "{name}: {:?} {logprob}", token.logprob);
                assert!((f64::from(token.entropy.unwrap()) - entropy).abs() < 4e-4, "{name}: {:?} {entropy}", token.entropy);
                // A rank may differ from that of the reference only among tokens that are equally probable within its error.
                let near = row.iter().filter(|l| (**l - row[token.id as usize]).abs() < 4e-4).count() as u32;
                assert!(token.rank.unwrap().abs_diff(rank) < near, "{name}");
                assert_eq!(token.top[token.rank.unwrap() as usize - 1].id, token.id);
                n_checked += 1;
            }
        }
        assert!(n_checked > 0 || name == "context1");
    }
}

/// Each token by itself, from the logits after exactly the tokens that the protocol lets it see.
fn token_by_token(model: &Gpt2, options: Options, ids: &[u32]) -> Vec<Option<(f64, u32, f64)>> {
    let sequence: Vec<u32> = options.begin.iter().chain(ids).copied().collect();
    let n_before = sequence.len() - ids.len();
    let context = model.config().n_ctx;
    let one = |place: usize| {
        if place == 0 {
            return None;
        }
        // The first window that reaches the token before it.
        let begin = place.saturating_sub(context).next_multiple_of(options.stride);
        let mut kv = model.kv_pool(context).unwrap();
        let segment = Segment { sequence: kv.sequence(), tokens: &sequence[begin..place] };
        let Output::Logits { values, .. } = model.forward(&[segment], &mut kv, Want::LastLogits).unwrap() else { panic!() };
        Some(direct(&values, sequence[place]))
    };
    (n_before..sequence.len()).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_and_short_documents_together_are_scored_as_each_token_alone(
        documents in prop::collection::vec(prop::collection::vec(0u32..97, 0..120), 1..12), stride in 1usize..=33, begin in prop::option::of(0u32..97),
    ) {
        static MODEL: OnceLock<Gpt2> = OnceLock::new();
        let model = MODEL.get_or_init(|| model("head10"));
        let options = Options { begin, stride, n_top: 3 };
        let scores = score(model, options, &documents);
        for (score, ids) in scores.iter().zip(&documents) {
            prop_assert_eq!(&score.tokens.iter().map(|t| t.id).collect::<Vec<_>>(), ids);
            for (token, want) in score.tokens.iter().zip(token_by_token(model, options, ids)) {
                match want {
                    None => prop_assert_eq!((token.logprob, token.rank, token.entropy, token.top.len()), (None, None, None, 0)),
                    Some((logprob, rank, entropy)) => {
                        prop_assert!((f64::from(token.logprob.unwrap()) - logprob).abs() < 1e-5);
                        prop_assert!((f64::from(token.entropy.unwrap()) - entropy).abs() < 1e-4);
                        prop_assert_eq!((token.rank, token.top.len()), (Some(rank), 3));
                    }
                }
            }
            let nats: f64 = score.tokens.iter().filter_map(|t| t.logprob).map(f64::from).sum();
            prop_assert_eq!(score.n_scored, ids.len() - usize::from(begin.is_none() && !ids.is_empty()));
            prop_assert!((score.sum_logprob - nats).abs() < 1e-9);
            if score.n_scored > 0 {
                prop_assert!((score.perplexity.unwrap().ln() + nats / score.n_scored as f64).abs() < 1e-9);
                // Every token of this vocabulary is one byte.
                prop_assert!((score.bits_per_byte.unwrap() * 2f64.ln() + nats / score.n_scored as f64).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn neighbours_change_nothing() {
    let model = model("mid");
    let documents: Vec<Vec<u32>> = (0..60u32).map(|i| (0..i * 3).map(|j| (i * 31 + j * 17) % 131).collect()).collect();
    let options = Options { begin: Some(5), stride: 40, n_top: 2 };
    let together = score(&model, options, &documents);
    for (document, together) in documents.iter().zip(together) {
        let alone = DocumentScore { line: together.line, ..score(&model, options, std::slice::from_ref(document)).remove(0) };
        assert_eq!(alone, together);
    }
}

#[test]
fn text_is_scored_as_its_tokens() {
    let model = model("mid");
    let text = "#$%&";
    let options = Options { begin: None, ..Options::new(&model, tokenizer()) };
    let mut scorer = Scorer::new(&model, tokenizer(), options, &Silent).unwrap();
    let mut got = scorer.push(text.as_bytes(), Place::default()).unwrap();
    got.extend(scorer.finish().unwrap());
    assert_eq!(got[0].tokens.iter().map(|t| t.text.as_str()).collect::<String>(), text);
    assert_eq!((got[0].n_scored, got[0].stride, &got[0].file, got[0].line), (3, 40, &None, None));
    assert!(scorer.finish().unwrap().is_empty());
}

#[test]
fn what_cannot_be_scored_is_refused_by_name() {
    struct Impatient;
    impl Observer for Impatient {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let model = model("head10");
    let options = Options { begin: None, stride: 8, n_top: 0 };
    for stride in [0, 34] {
        let refused = Scorer::new(&model, tokenizer(), Options { stride, ..options }, &Silent);
        assert!(matches!(refused, Err(Error::Stride { context: 33, .. })));
    }
    assert!(matches!(Scorer::new(&model, tokenizer(), Options { begin: Some(97), ..options }, &Silent), Err(Error::Token { id: 97, .. })));
    let mut scorer = Scorer::new(&model, tokenizer(), options, &Silent).unwrap();
    let error = scorer.push_ids(&[1, 97], Place { file: Some("a.txt".to_owned()), line: Some(4) }).unwrap_err();
    assert_eq!(error.to_string(), "a.txt:4: token 97 at position 1 is outside the model's vocabulary of 97 tokens");
    let mut scorer = Scorer::new(&model, tokenizer(), options, &Impatient).unwrap();
    scorer.push_ids(&[1, 2], Place::default()).unwrap();
    assert!(matches!(scorer.finish(), Err(Error::Cancelled)));
}
