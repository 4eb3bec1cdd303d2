//! What scoring costs beside a forward pass that computes all logits, and how fast hashed n-grams read: `cargo bench -p ovid-detect`.
//!
//! The built-in model on one thread; each figure is the least of several runs, the first of which is thrown away.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use ovid_bpe::Tokenizer;
use ovid_detect::trained::HashedTrainer;
use ovid_detect::{ModelId, Scoring, Text, clean, score};
use ovid_io::documents::{Documents, Limits};
use ovid_io::gguf::Gguf;
use ovid_io::{Mapped, Silent};
use ovid_model::{Cpu, Gpt2, Segment, Want};

fn least(n: usize, mut run: impl FnMut()) -> f64 {
    run();
    (0..n)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Five megabytes of encyclopaedia from ../shared, where it is; else the model card, whose few words stay in the cache.
fn documents() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/corpus/wikipedia_2021.jsonl.zst");
    if !path.exists() {
        return vec![ovid_mini::MODEL_CARD.replace("<|endoftext|>", "end of text").repeat(100)];
    }
    let documents = Documents::open(&[path], Limits::default()).expect("the file is there");
    documents.take(2500).map(|d| clean(&d.expect("a document").text)).collect()
}

fn main() {
    let gguf = Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF)).expect("the built-in model is a GGUF file");
    let model = Gpt2::from_gguf(&gguf, Cpu::new(1), &Silent).expect("the built-in model loads");
    let tokenizer = Tokenizer::from_gguf(&gguf).expect("the built-in model has its tokenizer");
    let documents = documents();
    let text = documents.join(" ");
    let (n_texts, length) = (16, 128);
    let ids: Vec<u32> = tokenizer.encode(text.as_bytes()).into_iter().take(n_texts * length).collect();

    let mut kv = model.kv_pool(n_texts * length).expect("there is memory");
    let forward = least(7, || {
        for pieces in ids.chunks(8 * length) {
            let sequences: Vec<_> = pieces.chunks(length).map(|_| kv.sequence()).collect();
            let segments: Vec<_> =
                sequences.iter().zip(pieces.chunks(length)).map(|(sequence, tokens)| Segment { sequence: *sequence, tokens }).collect();
            black_box(model.forward(&segments, &mut kv, Want::AllLogits).expect("the model runs"));
            sequences.into_iter().for_each(|s| kv.release(s));
        }
    });
    let texts: Vec<Text> = ids
        .chunks(length)
        .map(|ids| Text::new(String::from_utf8_lossy(&tokenizer.decode(ids).expect("own tokens")).into_owned()))
        .collect();
    let scoring = Scoring {
        model: &model,
        tokenizer: &tokenizer,
        name: ModelId { name: String::new(), sha256: String::new() },
        cleaned: false,
        second: None,
    };
    let mut n_scored = 0;
    let scored = least(7, || {
        n_scored = 0;
        score(&scoring, texts.iter().cloned().map(Ok), length, &Silent, |s| {
            n_scored += s.tokens.len();
            black_box(s.statistics());
            Ok(())
        })
        .expect("the texts are scored");
    });
    let (forward, scored) = (1e6 * forward / ids.len() as f64, 1e6 * scored / n_scored as f64);
    println!(
        "all logits {forward:.1} us a token, detection's statistics {scored:.1} us a token: {:+.1}%",
        100.0 * (scored / forward - 1.0)
    );

    let mut trainer = HashedTrainer::new();
    documents.iter().zip([true, false].into_iter().cycle()).for_each(|(d, machine)| trainer.learn(d, machine));
    let detector = trainer.finish();
    let mb = documents.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    let fast = least(5, || {
        documents.iter().for_each(|d| {
            black_box(detector.score_cleaned(d));
        });
    });
    let whole = least(5, || {
        documents.iter().for_each(|d| {
            black_box(detector.score(d));
        });
    });
    println!("hashed n-grams {:.0} MB/s, with the clean-up {:.0} MB/s ({mb:.1} MB)", mb / fast, mb / whole);
}
