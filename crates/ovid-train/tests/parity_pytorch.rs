//! Ten steps of `torch.optim.AdamW` in float64 and nanoGPT's schedules, step by step (tools/reference/adamw.py).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ovid_io::Dtype;
use ovid_kernels::Backend;
use ovid_model::{Config, Cpu, TrainModel};
use ovid_train::optimiser::{Buffers, clip_factor, global_norm, update};
use ovid_train::schedule::learning_rate;
use ovid_train::{Decay, TrainConfig};
use serde::Deserialize;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[derive(Deserialize)]
struct Entry {
    data_offsets: (usize, usize),
}

/// A safetensors file of any types (ovid-io lends weights alone): metadata, and the bytes of each tensor.
fn read(path: &Path) -> (BTreeMap<String, String>, BTreeMap<String, Vec<u8>>) {
    let bytes = std::fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes[8..end]).unwrap();
    let metadata = serde_json::from_value(header.remove("__metadata__").unwrap()).unwrap();
    let tensor = |entry| {
        let entry: Entry = serde_json::from_value(entry).unwrap();
        bytes[end + entry.data_offsets.0..end + entry.data_offsets.1].to_vec()
    };
    (metadata, header.into_iter().map(|(name, entry)| (name, tensor(entry))).collect())
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn u32s(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

#[derive(Deserialize)]
struct Settings {
    kind: Decay,
    peak: f64,
    minimum: f64,
    warmup: u64,
    total: u64,
    #[serde(default)]
    beta1: f64,
    #[serde(default)]
    beta2: f64,
    #[serde(default)]
    eps: f64,
    #[serde(default)]
    weight_decay: f64,
    #[serde(default)]
    clip: f64,
    #[serde(default)]
    decayed: Vec<String>,
}

impl Settings {
    fn config(&self) -> TrainConfig {
        TrainConfig {
            decay: self.kind,
            learning_rate: self.peak,
            min_learning_rate: self.minimum,
            warmup_steps: self.warmup,
            steps: self.total,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.eps,
            weight_decay: self.weight_decay,
            clip_norm: self.clip,
            ..TrainConfig::default()
        }
    }
}

#[test]
fn ten_steps_follow_adamw_in_float64() {
    for name in ["bias-cosine", "no-bias-linear", "unclipped-untied"] {
        let path = fixtures().join(format!("adamw/{name}.safetensors"));
        let (metadata, tensors) = read(&path);
        let settings: Settings = serde_json::from_str(&metadata["settings"]).unwrap();
        let config = settings.config();
        let shape = Config::from_json(metadata["config"].as_bytes(), &path).unwrap();
        let shape = Config { bias: !name.starts_with("no-bias"), ..shape };
        let device = Cpu::new(2);
        let mut model = TrainModel::new(shape.clone(), Cpu::new(2), Dtype::F32).unwrap();
        let layout = model.layout().clone();
        let decayed: Vec<&str> = layout.parameters().iter().filter(|p| p.decay).map(|p| p.name.as_str()).collect();
        assert_eq!(decayed, settings.decayed, "{name}");
        let n = layout.n_params();
        let zeros = || device.zeros(n, "buffer").unwrap();
        let mut buffers = Buffers::<Cpu> { params: zeros(), grads: zeros(), m: zeros(), v: zeros() };
        for p in layout.parameters() {
            device.upload(&f32s(&tensors[&format!("param.{}", p.name)]), &mut buffers.params, p.range.start);
        }
        let (tokens, targets) = (u32s(&tensors["tokens"]), u32s(&tensors["targets"]));
        let (losses, norms) = (f64s(&tensors["losses"]), f64s(&tensors["norms"]));
        let per_step = tokens.len() / 10;
        for step in 0..10 {
            let (tokens, targets) = (&tokens[step * per_step..][..per_step], &targets[step * per_step..][..per_step]);
            let counted = targets.iter().filter(|t| **t != u32::MAX).count() as f64;
            model.set_params(&buffers.params).unwrap();
            device.clear(&mut buffers.grads, n);
            let n_rows = per_step / shape.n_ctx;
            let loss = model.step(tokens, targets, n_rows, None, (1.0 / counted) as f32, &mut buffers.grads).unwrap() / counted;
            assert!((loss / losses[step] - 1.0).abs() < 1e-5, "{name}, step {step}: loss {loss} instead of {}", losses[step]);
            let norm = global_norm(&device, &buffers.grads, n);
            assert!((norm / norms[step] - 1.0).abs() < 1e-4, "{name}, step {step}: norm {norm} instead of {}", norms[step]);
            update(&device, &config, layout.parameters(), &mut buffers, step as u64, step as u64 + 1, clip_factor(norm, config.clip_norm))
                .unwrap();
        }
        for p in layout.parameters() {
            let expected = f32s(&tensors[&format!("final.{}", p.name)]);
            let (mut distance, mut moved) = (0.0, 0.0);
            for (i, (found, expected)) in buffers.params[p.range.clone()].iter().zip(&expected).enumerate() {
                // The keys' biases have no gradient but noise, of which AdamW makes steps of full length.
                let is_key_bias = p.name.ends_with("c_attn.bias") && (shape.n_embd..2 * shape.n_embd).contains(&i);
                if !is_key_bias {
                    let start = f32s(&tensors[&format!("param.{}", p.name)])[i];
                    distance += f64::from(found - expected).powi(2);
                    moved += f64::from(start - expected).powi(2);
                }
            }
            // Measured: 4.9e-5 at most; the arithmetic is f32, the fixture float64.
            let error = (distance / moved).sqrt();
            assert!(error < 2e-4, "{name}: {} is {error} of its way off", p.name);
        }
    }
}

#[test]
fn rates_are_nanogpts() {
    #[derive(Deserialize)]
    struct Schedules {
        schedules: Vec<serde_json::Value>,
    }
    let text = std::fs::read(fixtures().join("schedules.json")).unwrap();
    let all: Schedules = serde_json::from_slice(&text).unwrap();
    assert!(all.schedules.len() >= 6);
    for schedule in all.schedules {
        let steps: Vec<u64> = serde_json::from_value(schedule["steps"].clone()).unwrap();
        let rates: Vec<f64> = serde_json::from_value(schedule["rates"].clone()).unwrap();
        let config = serde_json::from_value::<Settings>(schedule.clone()).unwrap().config();
        for (step, rate) in steps.into_iter().zip(rates) {
            let found = learning_rate(&config, step);
            assert!((found - rate).abs() <= 1e-12 * config.learning_rate, "{schedule}, step {step}: {found} instead of {rate}");
        }
    }
}
