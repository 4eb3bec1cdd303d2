//! The statistics against an independent computation from the same logits (`tools/reference/detection.py`).

use std::path::Path;

use ovid_detect::{Statistics, cross_entropy};
use ovid_eval::TokenScore;
use ovid_io::Dtype;
use ovid_io::safetensors::SafeTensors;
use ovid_kernels::backend::{Backend, Layout, Matrix};
use ovid_model::Cpu;

fn floats(file: &SafeTensors, name: &str) -> Vec<f32> {
    file.raw(name).unwrap().data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// The score of a target under one row of logits, by the kernel that scores texts: a head of width 1 whose weights are the logits.
fn score(cpu: &Cpu, logits: &[f32], target: u32) -> TokenScore {
    let data = bytemuck::cast_slice(logits);
    let head = cpu.weight(&Matrix { dtype: Dtype::F32, layout: Layout::OutIn, n_in: 1, n_out: logits.len(), data }, Dtype::F32).unwrap();
    let mut x = cpu.zeros(1, "one").unwrap();
    cpu.upload(&[1.0], &mut x, 0);
    let s = cpu.scores(&x, 1, &head, &[Some(target)], 0).unwrap().remove(0);
    let (logprob, rank, entropy, variance) = (Some(s.logprob), Some(s.rank), Some(s.entropy), Some(s.variance));
    TokenScore { id: target, text: String::new(), bytes: Vec::new(), logprob, rank, entropy, variance, top: Vec::new() }
}

#[test]
fn statistics_are_those_of_numpy_from_the_same_logits() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(here.join("tests/fixtures/statistics.json")).unwrap()).unwrap();
    let cpu = Cpu::new(1);
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let (name, i) = (case["logits"].as_str().unwrap(), case["sequence"].as_u64().unwrap());
        let file = SafeTensors::open(&here.join("../ovid-model/tests/fixtures/logits").join(name).join("expected.safetensors")).unwrap();
        let ids: Vec<u32> = file.raw(&format!("ids.{i}")).unwrap().data.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        let logits = floats(&file, &format!("logits64.{i}"));
        let vocab = logits.len() / ids.len();
        let rows: Vec<&[f32]> = logits.chunks(vocab).collect();
        let tokens: Vec<TokenScore> = ids[1..].iter().zip(&rows).map(|(id, row)| score(&cpu, row, *id)).collect();
        let cross: Vec<f64> = (0..tokens.len())
            .map(|i| {
                let second: Vec<f32> = rows[(i + rows.len() - 1) % rows.len()].iter().map(|x| 2.0 * x).collect();
                cross_entropy(rows[i], &second)
            })
            .collect();
        let statistics = Statistics::of(&tokens, Some(&cross)).unwrap();
        for (statistic, value) in statistics.named() {
            let wanted = case["statistics"][statistic].as_f64().unwrap();
            let value = value.unwrap();
            assert!((value - wanted).abs() < 1e-5, "{name}.{i} {statistic}: {value}, not {wanted}");
        }
    }
}

#[test]
fn nothing_scored_has_no_statistics() {
    assert_eq!(Statistics::of(&[], None), None);
    // A token that was the only possible one has no rank to divide by and no variance.
    let cpu = Cpu::new(1);
    let certain = score(&cpu, &[0.0], 0);
    let statistics = Statistics::of(&[certain], None).unwrap();
    assert_eq!((statistics.lrr, statistics.curvature, statistics.binoculars), (None, None, None));
}
