//! Each request gets the text it gets alone; texts end where they should.

mod common;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use common::{CONTEXT, Listener, N_VOCAB, alone, engine, model, tokenizer};
use ovid_generate::sampling::{AtEndOfText, Beams, Sampler, Settings, Temperature, Text};
use ovid_generate::{Engine, Error, FinishReason, Options, Request, Window};
use ovid_model::{Output, Segment, Want};
use ovid_watermark::{GreenList, Key, Scheme, Watermark};
use proptest::prelude::*;
use serde_json::json;

fn settings(value: serde_json::Value) -> Settings {
    serde_json::from_value(value).unwrap()
}

fn options(n_positions: usize, rows_per_step: usize) -> Options {
    Options { n_positions, rows_per_step, end_of_text: None }
}

fn any_request() -> impl Strategy<Value = Request> {
    let rules = prop_oneof![
        Just(json!({})),
        Just(json!({"temperature": 0})),
        Just(json!({"top_k": null, "top_p": 0.9, "repetition_penalty": 1.2})),
        Just(json!({"top_k": null, "typical_p": 0.8, "no_repeat_ngram": 2, "at_end_of_text": "go_on"})),
        Just(json!({"stop": ["e", "th"], "min_p": 0.02})),
        Just(json!({"beams": {"n_beams": 3, "length_penalty": 1.0, "early_stopping": "heuristic"}})),
    ];
    let prompt = prop::collection::vec(0u32..N_VOCAB as u32, 0..3 * CONTEXT);
    (prompt, rules, any::<u64>(), 1u32..4, 0usize..40, prop::option::of(0usize..4), prop::option::of(0usize..4)).prop_map(
        |(prompt, rules, seed, n, max_tokens, logprobs, scheme)| {
            let mut settings = settings(rules);
            settings.max_tokens = max_tokens;
            let logprobs = logprobs.filter(|_| settings.beams.is_none());
            let draws = settings.beams.is_none() && settings.temperature != Temperature::GREEDY;
            let self_hash = Scheme::GreenList(GreenList::new(0.5, 4.0, 3, true).unwrap());
            let scheme = scheme.map(|i| [self_hash].into_iter().chain(Scheme::all()).nth(i).unwrap());
            let key = Arc::new(Key::new([1; 32], None));
            let watermark = scheme.filter(|s| draws || !s.needs_draws()).map(|s| Watermark::new(key, s));
            Request { prompt, settings, seed, n_samples: NonZeroU32::new(n).unwrap(), logprobs, watermark }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Requests come at any step, some are taken back, the cache is too small for all of them at once, prompts are cut anywhere.
    #[test]
    fn each_request_gets_the_text_it_gets_alone(
        requests in prop::collection::vec((any_request(), 0usize..30, prop::option::weighted(0.2, 0usize..40)), 1..8),
        rows in 1usize..40, blocks in 6usize..20,
    ) {
        let mut engine = engine(options(blocks * 16, rows));
        let mut listener = Listener::default();
        let mut ids = vec![None; requests.len()];
        for step in 0.. {
            for ((request, joins, leaves), id) in requests.iter().zip(&mut ids) {
                if *joins == step {
                    *id = Some(engine.submit(request.clone()).unwrap());
                }
                if let (Some(id), true) = (*id, leaves.is_some_and(|after| joins + after == step)) {
                    engine.cancel(id);
                }
            }
            listener.hear(engine.step());
            if step > 30 && engine.is_idle() {
                break;
            }
        }
        for ((request, ..), id) in requests.iter().zip(&ids) {
            for (sample, want) in (0u32..).zip(alone(request, options(16 * 16, 512))) {
                let got = listener.outcomes.remove(&(id.unwrap(), sample)).unwrap().unwrap();
                if got.finish_reason == FinishReason::Cancelled {
                    prop_assert!(want.ids.starts_with(&got.ids));
                    prop_assert!(want.logprobs.unwrap_or_default().starts_with(&got.logprobs.unwrap_or_default()));
                } else {
                    prop_assert_eq!(got, want);
                }
            }
        }
        prop_assert!(listener.outcomes.is_empty());
    }

    #[test]
    fn a_stop_string_ends_the_text_before_it(seed in any::<u64>(), from in 0usize..20, len in 1usize..6) {
        let mut request = Request::new(vec![1, 2, 3], settings(json!({"max_tokens": 60, "at_end_of_text": "go_on"})), seed);
        let whole = alone(&request, Options::default()).remove(0);
        let characters: Vec<char> = whole.text.chars().collect();
        let stop: String = characters.iter().skip(from).take(len).collect();
        prop_assume!(!stop.is_empty() && !stop.contains('\u{fffd}'));
        request.settings.stop = vec![stop.clone()];
        let cut = alone(&request, Options::default()).remove(0);
        prop_assert_eq!(cut.finish_reason, FinishReason::Stop);
        prop_assert_eq!(&cut.text, whole.text.split(&stop).next().unwrap());
        prop_assert!(whole.ids.starts_with(&cut.ids));
        // The last token is the one that completed the stop string.
        let bytes = tokenizer().decode(&cut.ids[..cut.ids.len() - 1]).unwrap();
        prop_assert!(!String::from_utf8_lossy(&bytes).contains(&stop));
    }
}

#[test]
fn sample_i_is_the_text_of_seed_plus_i() {
    let mut request = Request::new(vec![5, 6, 7], settings(json!({"max_tokens": 30, "top_k": null})), u64::MAX - 1);
    request.n_samples = NonZeroU32::new(4).unwrap();
    request.logprobs = Some(2);
    let all = alone(&request, Options::default());
    for (i, sample) in all.iter().enumerate() {
        let single = Request { seed: request.seed.wrapping_add(i as u64), n_samples: NonZeroU32::MIN, ..request.clone() };
        assert_eq!(&alone(&single, Options::default())[0], sample);
        assert_eq!(sample.seed, single.seed);
    }
    assert_ne!(all[0].ids, all[1].ids);
}

#[test]
fn past_the_context_the_newest_half_is_recomputed() {
    let (model, tokenizer) = (model(), tokenizer());
    for n_prompt in [3, CONTEXT - 1, CONTEXT, CONTEXT + 1, 5 * CONTEXT] {
        let prompt: Vec<u32> = (0..n_prompt as u32).map(|i| (i * 7) % 250).collect();
        let rules = settings(json!({"max_tokens": 3 * CONTEXT, "at_end_of_text": "go_on"}));
        let got = alone(&Request::new(prompt.clone(), rules.clone(), 9), Options::default()).remove(0);

        // The same, token by token, with nothing kept between them.
        let mut sampler = Sampler::new(rules, 290, tokenizer.end_of_text()).unwrap();
        let mut ids = prompt;
        while ids.len() < n_prompt + 3 * CONTEXT {
            let mut kv = model.kv_pool(64).unwrap();
            let sequence = kv.sequence();
            let tokens = &ids[Window::after(CONTEXT, ids.len()).start()..];
            let Output::Logits { values, .. } = model.forward(&[Segment { sequence, tokens }], &mut kv, Want::LastLogits).unwrap() else {
                panic!()
            };
            ids.push(sampler.next(&values, Text { ids: &ids, n_prompt }, 9).unwrap());
        }
        assert_eq!(got.ids, ids[n_prompt..]);
        assert_eq!(got.window, Window::after(CONTEXT, ids.len() - 1));
        assert!(got.window.recomputed > 0 && got.window.kept == CONTEXT / 2);
    }
}

#[test]
fn logprobs_are_the_models_own_to_the_bit() {
    let mut request = Request::new(vec![1, 2], settings(json!({"max_tokens": 8, "temperature": 0.3, "repetition_penalty": 3.0})), 1);
    request.logprobs = Some(5);
    let got = alone(&request, Options::default()).remove(0);
    let tokens = [&request.prompt[..], &got.ids].concat();
    let targets: Vec<Option<u32>> = tokens[1..].iter().map(|id| Some(*id)).chain([None]).collect();
    let mut kv = model().kv_pool(64).unwrap();
    let sequence = kv.sequence();
    let want = Want::Scores { targets: &targets, top: 5 };
    let Output::Scores(scores) = model().forward(&[Segment { sequence, tokens: &tokens }], &mut kv, want).unwrap() else { panic!() };
    for (score, logprob) in scores[1..].iter().zip(got.logprobs.unwrap()) {
        assert_eq!((score.logprob, &score.top), (logprob.logprob, &logprob.top));
    }
}

#[test]
fn what_begins_alike_is_computed_once() {
    let mut engine = engine(options(40 * 16, 512));
    let prompt: Vec<u32> = (0..20).collect();
    let mut request = Request::new(prompt.clone(), settings(json!({"max_tokens": 1, "at_end_of_text": "go_on"})), 3);
    request.n_samples = NonZeroU32::new(5).unwrap();
    let run = |engine: &mut Engine, request: &Request| {
        let before = engine.n_computed();
        let id = engine.submit(request.clone()).unwrap();
        let mut listener = Listener::default();
        while !engine.is_idle() {
            listener.hear(engine.step());
        }
        for (sample, want) in (0u32..).zip(alone(request, options(40 * 16, 512))) {
            assert_eq!(listener.outcomes[&(id, sample)].as_ref().unwrap(), &want);
        }
        engine.n_computed() - before
    };
    // The first sample computes 20 tokens; the others its last four, each for itself.
    assert_eq!(run(&mut engine, &request), 20 + 4 * 4);
    // A later request finds the first block.
    assert_eq!(run(&mut engine, &request), 5 * 4);
    request.prompt.push(7);
    assert_eq!(run(&mut engine, &request), 5 * 5);
    request.prompt[3] = 99;
    assert_eq!(run(&mut engine, &request), 21 + 4 * 5);
    // Sixteen tokens are a block, but the last of them is computed for its scores.
    request.prompt = prompt[..16].to_vec();
    assert_eq!(run(&mut engine, &request), 5 * 16);
}

#[test]
fn end_of_text_stops_or_goes_on() {
    let end = tokenizer().end_of_text().unwrap();
    let rules = |at_end: &str, min: usize| {
        settings(json!({"max_tokens": 20, "logit_bias": [{"ids": [end], "bias": 1000}], "at_end_of_text": at_end, "min_tokens": min}))
    };
    let stopped = alone(&Request::new(vec![1], rules("stop", 0), 1), Options::default()).remove(0);
    assert_eq!((stopped.finish_reason, &stopped.ids[..], &stopped.text[..]), (FinishReason::EndOfText, &[end][..], ""));
    let later = alone(&Request::new(vec![1], rules("stop", 5), 1), Options::default()).remove(0);
    assert_eq!((later.finish_reason, later.ids.len(), later.ids[5]), (FinishReason::EndOfText, 6, end));
    let on = alone(&Request::new(vec![1], rules("go_on", 0), 1), Options::default()).remove(0);
    assert_eq!((on.finish_reason, on.ids), (FinishReason::Length, vec![end; 20]));
    let from_nothing = alone(&Request::new(Vec::new(), Settings::default(), 1), Options::default()).remove(0);
    assert_eq!(from_nothing, alone(&Request::new(vec![end], Settings::default(), 1), Options::default()).remove(0));
    assert_eq!(from_nothing.prompt_ids, [end]);
}

#[test]
fn no_tokens_wanted_is_a_text_of_none() {
    let none = alone(&Request::new(vec![1], settings(json!({"max_tokens": 0})), 1), Options::default()).remove(0);
    assert_eq!((none.finish_reason, none.ids.len()), (FinishReason::Length, 0));
}

#[test]
fn one_beam_is_the_greedy_text() {
    let greedy = settings(json!({"max_tokens": 40, "temperature": 0}));
    let beam = Settings { beams: Some(Beams::new(NonZeroUsize::MIN)), temperature: Temperature::ONE, ..greedy.clone() };
    for seed in 0..20 {
        let prompt = vec![seed, 2 * seed, 9];
        let got = alone(&Request::new(prompt.clone(), beam.clone(), 0), Options::default()).remove(0);
        let want = alone(&Request::new(prompt, greedy.clone(), 0), Options::default()).remove(0);
        assert_eq!((got.ids, got.text, got.finish_reason), (want.ids, want.text, want.finish_reason));
    }
}

#[test]
fn more_beams_find_more_probable_texts() {
    let score = |n: usize| {
        let mut rules = settings(json!({"max_tokens": 6, "at_end_of_text": "go_on"}));
        rules.beams = NonZeroUsize::new(n).map(Beams::new);
        alone(&Request::new(vec![3, 1, 4], rules, 0), Options::default()).remove(0).score.unwrap()
    };
    assert!(score(1) <= score(4) && score(4) <= score(64), "{} {} {}", score(1), score(4), score(64));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let submit = |options, request| engine(options).submit(request).map(|_| ()).unwrap_err();
    let few = options(32, 8);
    assert!(matches!(
        submit(
            few,
            Request::new(vec![1; 17], settings(json!({"beams": {"n_beams": 2, "length_penalty": 1, "early_stopping": "never"}})), 0)
        ),
        Error::TooLarge { needed: 64, available: 32 }
    ));
    assert!(matches!(
        submit(few, Request::new(vec![1, 290], Settings::default(), 0)),
        Error::Prompt { id: 290, position: 1, n_vocab: 290 }
    ));
    let mut request = Request::new(vec![1], settings(json!({"beams": {"n_beams": 2, "length_penalty": 1, "early_stopping": "never"}})), 0);
    request.n_samples = NonZeroU32::new(3).unwrap();
    assert!(matches!(submit(Options::default(), request.clone()), Error::Setting { name: "n", .. }));
    request.n_samples = NonZeroU32::MIN;
    request.logprobs = Some(1);
    assert!(matches!(submit(Options::default(), request), Error::Setting { name: "logprobs", .. }));
    assert!(matches!(
        submit(Options::default(), Request::new(vec![1], settings(json!({"banned": [[290]]})), 0)),
        Error::Setting { name: "banned", .. }
    ));
}

#[test]
fn a_sample_that_fails_leaves_the_others_alone() {
    let mut engine: Engine = engine(Options::default());
    let everything: Vec<_> = (0..290).map(|id| vec![id]).collect();
    let mut bad = settings(json!({"banned": everything, "max_tokens": 20}));
    bad.at_end_of_text = AtEndOfText::GoOn;
    // End-of-text alone cannot be banned, so it is kept away by the minimum length.
    bad.min_tokens = 20;
    let bad = engine.submit(Request::new(vec![1], bad, 0)).unwrap();
    let request = Request::new(vec![1], settings(json!({"max_tokens": 20})), 0);
    let good = engine.submit(request.clone()).unwrap();
    let mut listener = Listener::default();
    while !engine.is_idle() {
        listener.hear(engine.step());
    }
    assert_eq!(listener.outcomes[&(bad, 0)], Err("the settings leave no token that could stand at position 1".to_owned()));
    assert_eq!(listener.outcomes[&(good, 0)], Ok(alone(&request, Options::default()).remove(0)));
}
