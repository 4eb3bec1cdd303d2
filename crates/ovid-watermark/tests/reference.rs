//! Held against `tools/reference/watermark.py`, which repeats the definitions with Python's hashlib, plain `ChaCha` and scipy.

use std::sync::Arc;

use ovid_watermark::{Choice, Detector, GreenList, Gumbel, Key, Marker, Scheme, Tournament, Watermark};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("fixtures/reference.json")).unwrap()
}

fn key(reference: &Value) -> Arc<Key> {
    let hex = reference["secret"].as_str().unwrap();
    let secret = std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
    Arc::new(Key::new(secret, None))
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn all(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

#[test]
fn the_identity_is_the_references() {
    let reference = reference();
    assert_eq!(key(&reference).id().to_string(), reference["id"].as_str().unwrap());
}

#[test]
fn the_same_tokens_are_green() {
    let reference = reference();
    for case in reference["green"].as_array().unwrap() {
        let (context, self_hash) = (ids(&case["context"]), case["self_hash"].as_bool().unwrap());
        let width = context.len() as u8 + u8::from(self_hash);
        let list = GreenList::new(case["gamma"].as_f64().unwrap(), 3.0, width, self_hash).unwrap();
        let mut marker = Marker::new(Watermark::new(key(&reference), Scheme::GreenList(list)));
        // Asked twice and after another context: kept words must not go stale.
        for before in [&[][..], &[7, 9, 7, 9, 250], &[]] {
            let mut scores = vec![1.0; reference["n_vocab"].as_u64().unwrap() as usize];
            let text = [before, &context].concat();
            assert!(marker.raises(&text, text.len()));
            marker.raise(&text, text.len(), &mut scores);
            let raised: Vec<u32> = (0..).zip(&scores).filter(|(_, s)| **s == 4.0).map(|(t, _)| t).collect();
            assert_eq!(raised, ids(&case["tokens"]), "{case}");
            assert!(scores.iter().all(|s| [1.0, 4.0].contains(s)));
        }
    }
}

#[test]
fn the_same_tokens_win_the_race() {
    let reference = reference();
    let weights: Vec<f32> = serde_json::from_value(reference["weights"].clone()).unwrap();
    let kept = ids(&reference["kept"]);
    let mut marker = Marker::new(Watermark::new(key(&reference), Scheme::Gumbel(Gumbel::new(4).unwrap())));
    for race in reference["races"].as_array().unwrap() {
        let context = ids(&race["context"]);
        let winner = |kept: &[u32], marker: &mut Marker| {
            let mut weights: Vec<f32> = kept.iter().map(|&t| weights[t as usize]).collect();
            match marker.choose(&context, 4, kept, &mut weights) {
                Choice::Token(place) => u64::from(kept[place]),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(winner(&all(weights.len()), &mut marker), race["winner"].as_u64().unwrap());
        assert_eq!(winner(&kept, &mut marker), race["winner_of_kept"].as_u64().unwrap());
    }
}

#[test]
fn tournaments_end_as_they_do_pair_by_pair() {
    let reference = reference();
    let start: Vec<f32> = serde_json::from_value(reference["weights"].clone()).unwrap();
    for case in reference["tournaments"].as_array().unwrap() {
        let tournament = Tournament::new(4, case["n_layers"].as_u64().unwrap() as u8).unwrap();
        let mut marker = Marker::new(Watermark::new(key(&reference), Scheme::Tournament(tournament)));
        let mut weights = start.clone();
        assert_eq!(marker.choose(&ids(&case["context"]), 4, &all(start.len()), &mut weights), Choice::Reweighed);
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        for (weight, want) in weights.iter().zip(case["probabilities"].as_array().unwrap()) {
            let want = want.as_f64().unwrap();
            assert!((f64::from(*weight) / total - want).abs() <= 1e-6 * want + 1e-12, "{weight} {want}");
        }
    }
}

#[test]
fn p_values_are_the_references() {
    let reference = reference();
    for text in reference["texts"].as_array().unwrap() {
        for trial in text["trials"].as_array().unwrap() {
            let scheme: Scheme = serde_json::from_value(trial["by"].clone()).unwrap();
            let detector = Detector::new(vec![Watermark::new(key(&reference), scheme)], 0.01, 0);
            let found = detector.judge(&ids(&text["ids"]), text["n_prompt"].as_u64().unwrap() as usize);
            let evidence = found.trials[0].whole;
            assert_eq!(evidence.n_counted, trial["n"].as_u64().unwrap(), "{trial}");
            assert!((evidence.score - trial["score"].as_f64().unwrap()).abs() < 1e-9, "{trial} {evidence:?}");
            let want = trial["p_value"].as_f64().unwrap();
            assert!((evidence.p_value / want - 1.0).abs() < 1e-7, "{trial} {evidence:?}");
            assert_eq!(found.p_value, evidence.p_value);
        }
    }
}
