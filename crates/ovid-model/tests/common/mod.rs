//! Reading of fixtures, by the `safetensors` crate: Ovid's own reader takes no integers.
#![allow(dead_code, reason = "each test program uses a part")]

use ovid_io::{Dtype, Silent};
use ovid_model::{Config, Gpt2, Layout, Output, Params, Segment, Want, load_params, save_hf};
use ovid_stats::Draws;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

pub struct Fixture(Vec<u8>);

impl Fixture {
    pub fn open(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    fn bytes<const N: usize>(&self, name: &str) -> Option<Vec<[u8; N]>> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).ok()?;
        Some(view.data().chunks_exact(N).map(|b| b.try_into().unwrap()).collect())
    }

    pub fn f32s(&self, name: &str) -> Option<Vec<f32>> {
        Some(self.bytes(name)?.into_iter().map(f32::from_le_bytes).collect())
    }

    pub fn f64s(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.bytes(name)?.into_iter().map(f64::from_le_bytes).collect())
    }

    pub fn u32s(&self, name: &str) -> Option<Vec<u32>> {
        Some(self.bytes(name)?.into_iter().map(u32::from_le_bytes).collect())
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().shape().to_vec()
    }
}

pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

pub fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = fixture(kind);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}

/// All logits of a sequence, fed in pieces of the given lengths (the last piece takes the rest).
pub fn logits_in_pieces(model: &Gpt2, ids: &[u32], piece: usize) -> Vec<f32> {
    let mut kv = model.kv_pool(ids.len()).unwrap();
    let sequence = kv.sequence();
    let mut all = Vec::new();
    for tokens in ids.chunks(piece) {
        match model.forward(&[Segment { sequence, tokens }], &mut kv, Want::AllLogits).unwrap() {
            Output::Logits { values, .. } => all.extend(values),
            other => panic!("{other:?}"),
        }
    }
    all
}

/// All logits of a sequence, fed at once.
pub fn logits(model: &Gpt2, ids: &[u32]) -> Vec<f32> {
    logits_in_pieces(model, ids, ids.len())
}

pub fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

pub fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// A small configuration in which every number is another.
pub fn small_config() -> Config {
    Config { n_inner: 28, ..Config::new(37, 21, 12, 2, 3) }
}

/// Parameters at which errors show: gains away from 1, biases away from 0, logits of some size.
pub fn random_params(config: &Config, seed: u64) -> Params {
    let draws = Draws::new(seed, 0);
    let layout = Layout::new(config);
    let mut values = vec![0f32; layout.n_params()];
    for p in layout.parameters() {
        let norm_gain = p.name.contains("ln_") && p.name.ends_with(".weight");
        for i in p.range.clone() {
            let x = draws.normal_at(i as u64) as f32;
            values[i] = if norm_gain { 1.0 + 0.5 * x } else { 0.4 * x };
        }
    }
    Params { config: config.clone(), values }
}

pub fn params_of(folder: &Path) -> Params {
    load_params(folder, &Silent).unwrap()
}

/// A Hugging Face folder of parameters, in F32.
pub fn saved(params: &Params) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    save_hf(folder.path(), params, Dtype::F32, &Silent).unwrap();
    folder
}
