//! What must hold of every distribution that the sampler leaves, whatever the scores and settings.

use ovid_generate::sampling::{AtEndOfText, Sampler, Settings, TopPRule, uniform};
use ovid_generate::{Error, sampling::Text};
use proptest::prelude::*;
use serde_json::json;

fn settings(value: &serde_json::Value) -> Settings {
    serde_json::from_value(value.clone()).unwrap()
}

fn kept(settings: &Settings, logits: &[f32], ids: &[u32]) -> Vec<(u32, f64)> {
    let mut sampler = Sampler::new(settings.clone(), logits.len(), None).unwrap();
    sampler.kept(logits, Text { ids, n_prompt: 0 }).unwrap().probabilities().collect()
}

fn ids(kept: &[(u32, f64)]) -> Vec<u32> {
    kept.iter().map(|&(id, _)| id).collect()
}

/// Scores with many ties, some far apart, some forbidden.
fn logits() -> impl Strategy<Value = Vec<f32>> {
    let score = prop_oneof![4 => (-40i32..40).prop_map(|i| i as f32 * 0.25), 3 => -20f32..20.0, 1 => Just(f32::NEG_INFINITY)];
    (prop::collection::vec(score, 1..300), -5f32..5.0).prop_map(|(mut scores, one)| {
        scores[0] = one;
        scores
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let share = || prop::option::of(0.01f64..1.0);
    (
        0.05f64..3.0,
        prop::option::of(1u32..400),
        share(),
        share(),
        share(),
        any::<bool>(),
        prop::option::of(0.5f64..2.0),
        prop::option::of(1usize..4),
    )
        .prop_map(|(temperature, top_k, top_p, min_p, typical_p, original, penalty, ngram)| {
            settings(&json!({
                "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "typical_p": typical_p,
                "top_p_rule": if original { "original" } else { "nucleus" }, "repetition_penalty": penalty, "no_repeat_ngram": ngram,
            }))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_a_distribution_over_ascending_ids(logits in logits(), settings in any_settings(), unit in 0f64..1.0) {
        let mut sampler = Sampler::new(settings, logits.len(), None).unwrap();
        match sampler.kept(&logits, Text { ids: &[1, 2, 1, 2, 3], n_prompt: 2 }) {
            Err(error) => {
                let nothing_left = matches!(error, Error::NothingLeft { position: 5 });
                prop_assert!(nothing_left);
            }
            Ok(kept) => {
                let all: Vec<_> = kept.probabilities().collect();
                prop_assert!(!all.is_empty());
                prop_assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
                prop_assert!((all.iter().map(|p| p.1).sum::<f64>() - 1.0).abs() < 1e-6);
                // The draw is the inverse of the cumulative distribution.
                let drawn = kept.choose(unit);
                let below: f64 = all.iter().take_while(|p| p.0 < drawn).map(|p| p.1).sum();
                let own = all.iter().find(|p| p.0 == drawn).unwrap().1;
                prop_assert!(own > 0.0 && below <= unit + 1e-9 && unit < below + own + 1e-9);
            }
        }
    }

    #[test]
    fn top_k_keeps_k_and_their_equals(logits in logits(), k in 1usize..300) {
        let got = kept(&settings(&json!({"top_k": k})), &logits, &[]);
        let mut sorted: Vec<f32> = logits.iter().copied().filter(|l| *l > f32::NEG_INFINITY).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let least = sorted[k.min(sorted.len()) - 1];
        let want: Vec<u32> = (0..logits.len() as u32).filter(|&i| logits[i as usize] >= least && logits[i as usize] > f32::NEG_INFINITY).collect();
        prop_assert_eq!(ids(&got), want);
    }

    #[test]
    fn top_p_is_the_smallest_set_that_reaches_p(logits in logits(), p in 0.01f64..0.999) {
        let all = kept(&settings(&json!({"top_k": null})), &logits, &[]);
        let got = kept(&settings(&json!({"top_k": null, "top_p": p})), &logits, &[]);
        let stays = ids(&got);
        let mass: f64 = all.iter().filter(|a| stays.contains(&a.0)).map(|a| a.1).sum();
        let least = all.iter().filter(|a| stays.contains(&a.0)).map(|a| a.1).fold(1.0, f64::min);
        prop_assert!(mass >= p - 1e-6, "{} tokens of mass {}", stays.len(), mass);
        prop_assert!(mass - least < p + 1e-6 || stays.len() == 1);
        // Nothing that was dropped is more probable than what stays, and of equals the higher ids stay.
        for (id, probability) in all.iter().filter(|a| !stays.contains(&a.0)) {
            let score = logits[*id as usize];
            prop_assert!(*probability <= least && stays.iter().all(|&s| logits[s as usize] > score || (logits[s as usize] == score && s > *id)));
        }
    }

    #[test]
    fn the_original_top_p_stays_within_p(logits in logits(), p in 0.01f64..0.999) {
        let original = kept(&settings(&json!({"top_k": null, "top_p": p, "top_p_rule": "original"})), &logits, &[]);
        let nucleus = ids(&kept(&settings(&json!({"top_k": null, "top_p": p})), &logits, &[]));
        let least = original.iter().map(|&(id, _)| logits[id as usize]).fold(f32::INFINITY, f32::min);
        let all = kept(&settings(&json!({"top_k": null})), &logits, &[]);
        // Without the ties of its least token, what the 2019 code keeps has at most mass p, or is the most probable token alone.
        let above: f64 = all.iter().filter(|&&(id, _)| logits[id as usize] > least).map(|a| a.1).sum();
        prop_assert!(above <= p + 1e-6);
        let distinct = |ids: &[u32]| logits.iter().enumerate().filter(|&(i, l)| ids.contains(&(i as u32)) && logits.iter().filter(|m| *m == l).count() == 1).count();
        prop_assert!(distinct(&ids(&original)) <= distinct(&nucleus));
    }

    #[test]
    fn equal_tokens_share_their_fate_under_min_p_and_typical(logits in logits(), p in 0.01f64..0.999) {
        for rule in ["min_p", "typical_p"] {
            let got = ids(&kept(&settings(&json!({"top_k": null, rule: p})), &logits, &[]));
            for (i, score) in logits.iter().enumerate() {
                for &stays in &got {
                    prop_assert!(logits[stays as usize] != *score || got.contains(&(i as u32)));
                }
            }
        }
    }

    #[test]
    fn greedy_is_the_lowest_id_of_the_best(logits in logits()) {
        let mut sampler = Sampler::new(settings(&json!({"temperature": 0})), logits.len(), None).unwrap();
        let got = sampler.next(&logits, Text { ids: &[], n_prompt: 0 }, 7).unwrap();
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(got as usize, logits.iter().position(|l| *l == best).unwrap());
    }

    #[test]
    fn no_ngram_comes_twice(seed in any::<u64>(), n in 1usize..4) {
        let logits: Vec<f32> = (0..40).map(|i| (i % 7) as f32).collect();
        let mut sampler = Sampler::new(settings(&json!({"top_k": null, "no_repeat_ngram": n})), 40, None).unwrap();
        let mut text: Vec<u32> = vec![3];
        for _ in 0..39 {
            text.push(sampler.next(&logits, Text { ids: &text, n_prompt: 1 }, seed).unwrap());
        }
        let mut ngrams: Vec<_> = text.windows(n).collect();
        let all = ngrams.len();
        ngrams.sort_unstable();
        ngrams.dedup();
        prop_assert_eq!(ngrams.len(), all);
    }
}

#[test]
fn draws_follow_the_distribution() {
    let logits: Vec<f32> = (0..1000).map(|i| ((i * 37) % 100) as f32 * 0.05).collect();
    let mut sampler = Sampler::new(settings(&json!({"top_k": null})), 1000, None).unwrap();
    let want: Vec<f64> = sampler.kept(&logits, Text { ids: &[], n_prompt: 0 }).unwrap().probabilities().map(|p| p.1).collect();
    let n = 200_000u32;
    let mut counts = vec![0u32; 1000];
    for position in 0..n {
        let kept = sampler.kept(&logits, Text { ids: &[], n_prompt: 0 }).unwrap();
        counts[kept.choose(uniform(11, position as usize)) as usize] += 1;
    }
    // Chi-square with 999 degrees of freedom: mean 999, deviation 44.7; six deviations.
    let chi: f64 = counts.iter().zip(&want).map(|(&c, p)| (f64::from(c) - p * f64::from(n)).powi(2) / (p * f64::from(n))).sum();
    assert!((chi - 999.0).abs() < 270.0, "{chi}");
}

#[test]
fn a_draw_depends_on_seed_and_position_alone() {
    let logits: Vec<f32> = (0..500).map(|i| (i % 13) as f32 * 0.1).collect();
    let mut used = Sampler::new(Settings::default(), 500, None).unwrap();
    for position in 0..50u32 {
        let text: Vec<u32> = (0..position).collect();
        let text = Text { ids: &text, n_prompt: 0 };
        let mut fresh = Sampler::new(Settings::default(), 500, None).unwrap();
        assert_eq!(used.next(&logits, text, 3).unwrap(), fresh.next(&logits, text, 3).unwrap());
    }
    // The numbers themselves make a published sample checkable; these were computed apart, from the paper's Philox4x32-10 written in Python.
    assert_eq!([uniform(0, 0), uniform(0, 1), uniform(1, 0)], [0.38854031684819945, 0.10343168209889608, 0.56577102696408]);
}

#[test]
fn penalties_and_bans() {
    let probability = |rules: serde_json::Value, ids: &[u32], n_prompt, id: u32| {
        let mut rules = rules;
        rules["top_k"] = serde_json::Value::Null;
        let mut sampler = Sampler::new(settings(&rules), 4, Some(3)).unwrap();
        let kept = sampler.kept(&[0.5, -0.5, 0.0, 0.0], Text { ids, n_prompt }).unwrap();
        kept.probabilities().find(|p| p.0 == id).map_or(0.0, |p| p.1)
    };
    let softmax = |scores: [f64; 4], id: usize| scores[id].exp() / scores.iter().map(|s| s.exp()).sum::<f64>();
    let check = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got} {want}");
    check(probability(json!({"repetition_penalty": 2.0}), &[0, 1, 1], 3, 0), softmax([0.25, -1.0, 0.0, 0.0], 0));
    // Presence and frequency look at drawn tokens alone: the prompt's 0 does not count.
    check(probability(json!({"presence_penalty": 0.5, "frequency_penalty": 0.25}), &[0, 1, 1], 1, 1), softmax([0.5, -1.5, 0.0, 0.0], 1));
    check(probability(json!({"banned": [[1, 0]]}), &[2, 1], 0, 0), 0.0);
    check(probability(json!({"banned": [[2, 0]]}), &[2, 1], 0, 0), softmax([0.5, -0.5, 0.0, 0.0], 0));
    check(probability(json!({"banned": [[3]]}), &[], 0, 3), softmax([0.5, -0.5, 0.0, 0.0], 3));
    check(probability(json!({"min_tokens": 2}), &[0, 0, 1], 2, 3), 0.0);
    check(probability(json!({"min_tokens": 2}), &[0, 0, 1], 1, 3), softmax([0.5, -0.5, 0.0, 0.0], 3));
    check(probability(json!({"logit_bias": [{"ids": [1], "bias": 2.0}]}), &[], 0, 1), softmax([0.5, 1.5, 0.0, 0.0], 1));
}

#[test]
fn damaged_scores_and_empty_sets_are_errors() {
    let next = |logits: &[f32], rules: serde_json::Value| {
        Sampler::new(settings(&rules), logits.len(), None).unwrap().next(logits, Text { ids: &[0], n_prompt: 1 }, 0)
    };
    for rules in [json!({}), json!({"temperature": 0}), json!({"top_k": null, "top_p": 0.5})] {
        assert!(matches!(next(&[1.0, f32::NAN], rules.clone()), Err(Error::Scores { position: 1, .. })));
        assert!(matches!(next(&[1.0, f32::INFINITY], rules.clone()), Err(Error::Scores { .. })));
        assert!(matches!(next(&[f32::NEG_INFINITY; 2], rules), Err(Error::NothingLeft { position: 1 })));
    }
    assert!(matches!(next(&[1.0, 2.0], json!({"banned": [[0], [1]]})), Err(Error::NothingLeft { .. })));
    assert!(matches!(next(&[1e36, 2.0], json!({"temperature": 1e-6})), Err(Error::Scores { .. })));
    // A probability of nothing but one token is still drawn.
    assert_eq!(next(&[f32::NEG_INFINITY, -1e30], json!({})).unwrap(), 1);
}

#[test]
fn settings_refuse_nonsense_and_keep_their_form() {
    for wrong in [
        json!({"temperature": -1}),
        json!({"temperature": 1e-9}),
        json!({"top_k": 0}),
        json!({"top_p": 1.5}),
        json!({"typical_p": 0}),
        json!({"repetition_penalty": 0}),
        json!({"banned": [[]]}),
        json!({"no_repeat_ngram": 0}),
        json!({"topk": 4}),
        json!({"beams": {"n_beams": 0, "length_penalty": 1, "early_stopping": "never"}}),
    ] {
        assert!(serde_json::from_value::<Settings>(wrong.clone()).is_err(), "{wrong}");
    }
    for wrong in [
        json!({"banned": [[9]]}),
        json!({"stop": [""]}),
        json!({"min_tokens": 9, "max_tokens": 8}),
        json!({"logit_bias": [{"ids": [1], "bias": 1}, {"ids": [1], "bias": 2}]}),
    ] {
        assert!(settings(&wrong).check(9).is_err(), "{wrong}");
    }
    let text = serde_json::to_string(&Settings::default()).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), Settings::default());
    assert_eq!((Settings::default().at_end_of_text, Settings::default().top_p_rule), (AtEndOfText::Stop, TopPRule::Nucleus));
}
