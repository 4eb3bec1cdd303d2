//! Held against transformers: its logits processors, its greedy search, its beam search (tools/reference/samplers.py, beams.py).

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use ovid_generate::sampling::{Sampler, Settings, Text};
use ovid_generate::{Engine, Event, Options, Request};
use ovid_io::Silent;
use ovid_model::{Cpu, Gpt2};
use serde::Deserialize;
use serde_json::{Value, json};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Samplers {
    logits: std::collections::HashMap<String, Vec<f32>>,
    cases: Vec<SamplerCase>,
}

#[derive(Deserialize)]
struct SamplerCase {
    name: String,
    logits: String,
    prompt: Vec<u32>,
    generated: Vec<u32>,
    settings: serde_json::Map<String, Value>,
    kept: Vec<u32>,
    probs: Vec<f64>,
}

/// A case's settings as ours, and its end-of-text; `None` for transformers' processors that Ovid does not have.
fn settings_of(case: &SamplerCase) -> Option<(Settings, Option<u32>)> {
    let mut ours = json!({"top_k": null, "max_tokens": 1000});
    let mut end_of_text = None;
    let mut banned = Vec::new();
    for (name, value) in &case.settings {
        match name.as_str() {
            "forced_eos" | "suppress_at_begin" => return None,
            "eos" => end_of_text = value.as_u64().map(|id| id as u32),
            "bad_words" => banned.extend(value.as_array().unwrap().clone()),
            "suppress" => banned.extend(value.as_array().unwrap().iter().map(|id| json!([id]))),
            "min_new_tokens" => ours["min_tokens"] = value.clone(),
            "logit_bias" => ours[name] = value.as_array().unwrap().iter().map(|pair| json!({"ids": pair[0], "bias": pair[1]})).collect(),
            "original_top_p" => {
                ours["top_p"] = value.clone();
                ours["top_p_rule"] = json!("original");
            }
            _ => ours[name] = value.clone(),
        }
    }
    ours["banned"] = Value::Array(banned);
    Some((serde_json::from_value(ours).unwrap(), end_of_text))
}

#[test]
fn the_same_tokens_are_kept_with_the_same_probabilities() {
    let fixture: Samplers = read("samplers.json");
    let mut n_checked = 0;
    for case in &fixture.cases {
        let Some((settings, end_of_text)) = settings_of(case) else { continue };
        let logits = &fixture.logits[&case.logits];
        let ids: Vec<u32> = case.prompt.iter().chain(&case.generated).copied().collect();
        let mut sampler = Sampler::new(settings, logits.len(), end_of_text).unwrap();
        let kept = sampler.kept(logits, Text { ids: &ids, n_prompt: case.prompt.len() }).unwrap();
        let got: Vec<(u32, f64)> = kept.probabilities().collect();
        assert_eq!(got.iter().map(|p| p.0).collect::<Vec<_>>(), case.kept, "{}", case.name);
        for ((id, probability), want) in got.iter().zip(&case.probs) {
            assert!((probability - want).abs() <= 1e-6 + 1e-5 * want, "{}: token {id}: {probability}, transformers {want}", case.name);
        }
        n_checked += 1;
    }
    assert!(n_checked * 10 > fixture.cases.len() * 9, "only {n_checked} of {} cases could be held against Ovid", fixture.cases.len());
}

#[derive(Deserialize)]
struct Beams {
    cases: Vec<BeamCase>,
}

#[derive(Deserialize)]
struct BeamCase {
    name: String,
    prompt: Vec<u32>,
    num_beams: usize,
    length_penalty: Option<f64>,
    early_stopping: Option<Value>,
    max_new_tokens: usize,
    eos: Option<u32>,
    n_return: Option<u32>,
    no_repeat_ngram: Option<usize>,
    repetition_penalty: Option<f64>,
    sequences: Vec<Vec<u32>>,
    scores: Option<Vec<f32>>,
}

#[test]
fn greedy_and_beam_search_find_the_same_texts() {
    let model = Arc::new(Gpt2::load(&fixture("beams/model"), Cpu::new(1), &Silent).unwrap());
    // The first tokens of any byte-level vocabulary are single bytes.
    let tokenizer = Arc::new(ovid_bpe::train(["no text"; 1].iter(), 257, 1, &Silent).unwrap());
    for case in read::<Beams>("beams/beams.json").cases {
        let early_stopping = match case.early_stopping {
            Some(Value::Bool(true)) => "at_once",
            Some(Value::String(_)) => "never",
            _ => "heuristic",
        };
        let beams =
            json!({"n_beams": case.num_beams, "length_penalty": case.length_penalty.unwrap_or(1.0), "early_stopping": early_stopping});
        let settings: Settings = serde_json::from_value(json!({
            "temperature": 0, "max_tokens": case.max_new_tokens, "no_repeat_ngram": case.no_repeat_ngram, "repetition_penalty": case.repetition_penalty,
            "at_end_of_text": if case.eos.is_some() { "stop" } else { "go_on" }, "beams": if case.num_beams > 1 { beams } else { Value::Null },
        }))
        .unwrap();
        // Small steps, so that beams share and lose their places in the cache often.
        let options = Options { rows_per_step: 3, end_of_text: case.eos, ..Options::default() };
        let mut engine = Engine::new(Arc::clone(&model), Arc::clone(&tokenizer), options).unwrap();
        let mut request = Request::new(case.prompt, settings, 0);
        request.n_samples = NonZeroU32::new(case.n_return.unwrap_or(1)).unwrap();
        engine.submit(request).unwrap();
        let mut got = Vec::new();
        while !engine.is_idle() {
            got.extend(engine.step().into_iter().filter_map(|event| match event {
                Event::Finished { completion, .. } => Some(completion),
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Token { .. } => None,
            }));
        }
        assert_eq!(got.iter().map(|c| c.ids.clone()).collect::<Vec<_>>(), case.sequences, "case {}", case.name);
        for (completion, want) in got.iter().zip(case.scores.unwrap_or_default()) {
            assert!((completion.score.unwrap() - want).abs() < 1e-4, "case {}: {:?}, transformers {want}", case.name, completion.score);
        }
    }
}
