//! The parity tests can fail: a bias, gain, scale, mask or position that is dropped moves the logits far beyond their tolerance, by as much as transformers moves.

mod common;

use common::{Fixture, fixture, greatest_difference, logits, params_of, saved};
use ovid_io::Silent;
use ovid_model::{Config, Cpu, Gpt2, Layout, Params};
use serde_json::Value;
use std::ops::Range;

struct Case {
    params: Params,
    sequences: Vec<(Vec<u32>, Vec<f32>)>,
}

impl Case {
    /// The greatest change of a logit of the longest sequence when this model is run in place of the fixture's.
    fn error(&self, params: &Params) -> f32 {
        let folder = saved(params);
        let model = Gpt2::load(folder.path(), Cpu::new(2), &Silent).unwrap();
        let (ids, want) = self.sequences.last().unwrap();
        greatest_difference(&logits(&model, ids), want)
    }

    fn with(&self, part: Range<usize>, value: f32) -> f32 {
        let mut params = self.params.clone();
        params.values[part].fill(value);
        self.error(&params)
    }

    fn with_config(&self, config: Config) -> f32 {
        self.error(&Params { config, values: self.params.values.clone() })
    }
}

/// The part of a parameter that a name of `dropped` means: the queries', keys' or values' third of `c_attn.bias`, or all of it.
fn part(layout: &Layout, name: &str) -> Range<usize> {
    let (stem, third) = match name.rsplit_once('.') {
        Some((stem, "q")) => (stem, Some(0)),
        Some((stem, "k")) => (stem, Some(1)),
        Some((stem, "v")) => (stem, Some(2)),
        _ => (name, None),
    };
    let range = layout.get(stem).unwrap_or_else(|| panic!("no parameter {stem}")).range.clone();
    let n = range.len() / 3;
    third.map_or(range.clone(), |i| range.start + i * n..range.start + (i + 1) * n)
}

#[test]
fn dropping_any_one_bias_gain_scale_or_position_is_seen() {
    let index: Value = serde_json::from_slice(&std::fs::read(fixture("logits/index.json")).unwrap()).unwrap();
    let (mut n_dropped, mut n_hidden) = (0, 0);
    for entry in index["fixtures"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let folder = fixture("logits").join(name);
        let expected = Fixture::open(&folder.join("expected.safetensors"));
        let sequences =
            (0..).map_while(|i| Some((expected.u32s(&format!("ids.{i}"))?, expected.f32s(&format!("logits64.{i}"))?))).collect();
        let case = Case { params: params_of(&folder), sequences };
        // The fixture's own weights, in F32 whatever they are stored in, are within the tolerance.
        assert!(case.error(&case.params) < 2e-4, "{name}");
        let config = &case.params.config;
        let layout = Layout::new(config);
        for (key, change) in entry["dropped"].as_object().unwrap() {
            let Some(want) = change.as_f64() else { continue };
            let got = match key.as_str() {
                "position" => case.with(part(&layout, "wpe.weight"), 0.0),
                // Scores as they are, or by the root where the configuration leaves them as they are.
                "scale" => case.with_config(Config {
                    scale_attn_weights: !config.scale_attn_weights,
                    scale_attn_by_inverse_layer_idx: false,
                    ..config.clone()
                }),
                _ => case.with(part(&layout, key), if key.ends_with(".weight") { 1.0 } else { 0.0 }),
            };
            assert!((f64::from(got) - want).abs() < 1e-3 + 1e-3 * want, "{name} without {key}: {got}, and transformers moves by {want}");
            // Keys' biases cancel in the softmax, and so does the query's where there is one key.
            if key.ends_with("bias.k") || config.n_ctx == 1 && key.ends_with("bias.q") {
                n_hidden += 1;
                continue;
            }
            assert!(got > 0.1, "{name} without {key}: {got}");
            n_dropped += 1;
        }
        // Switches of the configuration, each of which must be read.
        let eps = case.with_config(Config { layer_norm_epsilon: 0.1 + config.layer_norm_epsilon, ..config.clone() });
        assert!(eps > 2e-4, "{name} with another epsilon: {eps}");
        if config.scale_attn_by_inverse_layer_idx {
            assert!(case.with_config(Config { scale_attn_by_inverse_layer_idx: false, ..config.clone() }) > 0.1, "{name}");
        }
    }
    println!("{n_dropped} parts dropped and seen; {n_hidden} that no logit can show");
    assert!(n_dropped > 150);
}

/// What comes after a token must not reach it, and what comes before must: the mask, seen from both sides in every row of every fixture.
#[test]
fn a_row_sees_all_tokens_up_to_its_own_and_none_after() {
    for name in ["head10", "inner7-relu", "silu-by-layer", "original-unscaled"] {
        let folder = fixture("logits").join(name);
        let expected = Fixture::open(&folder.join("expected.safetensors"));
        let model = Gpt2::load(&folder, Cpu::new(2), &Silent).unwrap();
        let vocab = model.config().vocab_size;
        let ids = (0..).map_while(|i| expected.u32s(&format!("ids.{i}"))).last().unwrap();
        let whole = logits(&model, &ids);
        for changed in 0..ids.len() {
            let mut other = ids.clone();
            other[changed] = (other[changed] + 1) % vocab as u32;
            let got = logits(&model, &other);
            for (row, (a, b)) in got.chunks_exact(vocab).zip(whole.chunks_exact(vocab)).enumerate() {
                assert_eq!(common::same_bits(a, b), row < changed, "{name}: token {changed} changed, row {row}");
            }
        }
    }
}
