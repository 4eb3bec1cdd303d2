//! Reading of fixtures, by the `safetensors` crate: Ovid's own reader takes no integers.
#![allow(dead_code, reason = "each test program uses a part")]

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

pub fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}
