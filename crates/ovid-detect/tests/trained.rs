//! Trained detectors: the baseline against scikit-learn on the same split (`tools/reference/tfidf.py`), hashed n-grams against both.

use std::path::Path;

use ovid_detect::trained::{Hashed, HashedTrainer, TfIdf, TfIdfOptions};
use ovid_io::documents::{Documents, Limits};
use ovid_stats::auroc;

fn texts(folder: &Path, name: &str, n: usize) -> Vec<String> {
    Documents::open(&[folder.join(name)], Limits::default()).unwrap().take(n).map(|d| d.unwrap().text).collect()
}

fn part(texts: &[String], test: bool) -> impl Iterator<Item = &String> {
    texts.iter().enumerate().filter(move |(i, _)| i.is_multiple_of(4) == test).map(|(_, t)| t)
}

#[test]
fn the_baseline_is_within_one_point_of_scikit_learn_and_hashed_n_grams_are_no_worse() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("../../../shared/data/detect");
    if !folder.exists() {
        println!("skipped: no ../shared");
        return;
    }
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(here.join("tests/fixtures/tfidf.json")).unwrap()).unwrap();
    let human = texts(&folder, "webtext.valid.jsonl.zst", usize::MAX);
    let machine = texts(&folder, "sim.train.jsonl.zst", human.len());
    let train: Vec<(String, bool)> =
        part(&human, false).map(|t| (t.clone(), false)).chain(part(&machine, false).map(|t| (t.clone(), true))).collect();
    assert_eq!(train.len() as u64, expected["n_train"].as_u64().unwrap());
    let judge = |score: &dyn Fn(&str) -> f64| {
        let of = |texts: &[String]| part(texts, true).map(|t| score(t)).collect::<Vec<f64>>();
        let (human, machine) = (of(&human), of(&machine));
        let right = human.iter().filter(|s| **s <= 0.0).count() + machine.iter().filter(|s| **s > 0.0).count();
        (right as f64 / (human.len() + machine.len()) as f64, auroc(&human, &machine).unwrap())
    };
    let mut best = 0.0f64;
    for result in expected["results"].as_array().unwrap() {
        let c = result["c"].as_f64().unwrap();
        let baseline = TfIdf::train(&train, &TfIdfOptions { c, ..TfIdfOptions::default() }).unwrap();
        let (accuracy, area) = judge(&|t| baseline.score(t));
        println!("C {c}: accuracy {accuracy:.4}, AUROC {area:.4}; scikit-learn {result}");
        assert!((accuracy - result["accuracy"].as_f64().unwrap()).abs() < 0.01, "C {c}: {accuracy}, not {result}");
        assert!((area - result["auroc"].as_f64().unwrap()).abs() < 0.01, "C {c}: {area}, not {result}");
        best = best.max(area);
    }
    let mut trainer = HashedTrainer::new();
    for _ in 0..3 {
        for (h, m) in part(&human, false).zip(part(&machine, false)) {
            trainer.learn(h, false);
            trainer.learn(m, true);
        }
    }
    let hashed = trainer.finish();
    let (accuracy, area) = judge(&|t| hashed.score(t));
    println!("hashed: accuracy {accuracy:.4}, AUROC {area:.4}");
    assert!(area > best - 0.03, "{area}, the baseline {best}");
}

#[test]
fn a_detector_comes_back_as_it_was_and_a_stranger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = HashedTrainer::new();
    for _ in 0..20 {
        trainer.learn("the sun was warm and the grass was green", false);
        trainer.learn("quartz jumbo vexes the fjord", true);
    }
    let detector = trainer.finish();
    let path = folder.path().join("d.safetensors");
    detector.write(&path, "a test").unwrap();
    let back = Hashed::read(&path).unwrap();
    for text in ["the sun was green", "quartz in the fjord", ""] {
        assert_eq!(back.score(text).to_bits(), detector.score(text).to_bits());
    }
    assert!(back.score("the sun was green") < 0.0 && back.score("quartz in the fjord") > 0.0);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    assert!(Hashed::read(&path).is_err());
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovid-model/tests/fixtures/logits/mid/expected.safetensors");
    assert!(Hashed::read(&model).err().unwrap().to_string().contains("is no trained detector"));
}
