//! Watermarks in the built-in model's own text: found after re-tokenisation by the right key, not by another; refused where they could not work.

use std::num::NonZeroU32;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::sampling::Temperature;
use ovid_generate::{Completion, Engine, Event, Options, Request, Settings};
use ovid_io::gguf::Gguf;
use ovid_io::{Mapped, Silent};
use ovid_model::{Cpu, Gpt2};
use ovid_watermark::{Detector, GreenList, Key, Scheme, Watermark};
use serde_json::json;

fn mini() -> (Arc<Gpt2>, Arc<Tokenizer>) {
    let file = Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF)).unwrap();
    (Arc::new(Gpt2::from_gguf(&file, Cpu::new(2), &Silent).unwrap()), Arc::new(Tokenizer::from_gguf(&file).unwrap()))
}

fn key(number: u8) -> Arc<Key> {
    Arc::new(Key::new([number; 32], None))
}

fn settings(n_tokens: usize) -> Settings {
    serde_json::from_value(json!({ "top_k": null, "min_tokens": n_tokens, "max_tokens": n_tokens })).unwrap()
}

fn run(engine: &mut Engine, requests: Vec<Request>) -> Vec<Completion> {
    for request in requests {
        engine.submit(request).unwrap();
    }
    let mut done = Vec::new();
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                Event::Finished { completion, .. } => done.push(*completion),
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Token { .. } => {}
            }
        }
    }
    done
}

#[test]
fn marks_are_found_in_two_hundred_tokens() {
    const N_TEXTS: usize = 40;
    let (model, tokenizer) = mini();
    let mut engine = Engine::new(model, Arc::clone(&tokenizer), Options { n_positions: 32 * 256, ..Options::default() }).unwrap();
    let self_hash = Scheme::GreenList(GreenList::new(0.25, 2.0, 4, true).unwrap());
    for scheme in Scheme::all().into_iter().chain([self_hash]) {
        let watermark = Watermark::new(key(1), scheme);
        let mut request = Request::new(Vec::new(), settings(200), 5);
        request.n_samples = NonZeroU32::new(N_TEXTS as u32).unwrap();
        request.watermark = Some(watermark.clone());
        let texts = run(&mut engine, vec![request]);
        assert!(texts.iter().all(|t| t.watermark == Some(watermark.mark()) && t.ids.len() == 200));
        let found = |number| {
            let detector = Detector::new(vec![Watermark::new(key(number), scheme)], 1e-3, 0);
            texts.iter().filter(|t| detector.judge(&tokenizer.encode(t.text.as_bytes()), 0).p_value <= 1e-3).count()
        };
        let (right, wrong) = (found(1), found(2));
        println!("{}: {right} of {N_TEXTS} found at 1e-3, {wrong} by another key", scheme.name());
        assert!(right as f64 >= 0.95 * N_TEXTS as f64, "{scheme:?}: {right} of {N_TEXTS}");
        assert!(wrong <= 2, "{scheme:?}: {wrong} of {N_TEXTS} by another key");
    }
}

#[test]
fn what_draws_nothing_bears_the_green_list_alone() {
    let (model, tokenizer) = mini();
    let mut engine = Engine::new(model, Arc::clone(&tokenizer), Options::default()).unwrap();
    let prompt = tokenizer.encode(b"It was a dark night");
    for rules in [
        json!({ "temperature": 0.0, "max_tokens": 120 }),
        json!({ "beams": { "n_beams": 3, "length_penalty": 1.0, "early_stopping": "heuristic" }, "max_tokens": 120 }),
    ] {
        let mut settings: Settings = serde_json::from_value(rules).unwrap();
        settings.min_tokens = 120;
        for scheme in Scheme::all() {
            let mut request = Request::new(prompt.clone(), settings.clone(), 0);
            request.watermark = Some(Watermark::new(key(1), scheme));
            if scheme.needs_draws() {
                let refused = engine.submit(request).unwrap_err().to_string();
                assert!(refused.contains(scheme.name()) && refused.contains("green-list"), "{refused}");
                continue;
            }
            let text = run(&mut engine, vec![request]).remove(0);
            let ids = [prompt.clone(), text.ids].concat();
            let judged = Detector::new(vec![Watermark::new(key(1), scheme)], 1e-3, 0).judge(&ids, prompt.len());
            assert!(judged.trials[0].whole.score > 0.35, "{:?} {judged:?}", settings.temperature == Temperature::GREEDY);
        }
    }
}
