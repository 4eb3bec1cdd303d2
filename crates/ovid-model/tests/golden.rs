//! The bits of `exact-1`, pinned: digests of the logits of one model in every weight type. A change here is a change of what published samples can be checked with, and
//! belongs into the changelog as breaking, with a new name for the arithmetic. `OVID_UPDATE_GOLDEN=1 cargo test -p ovid-model --test golden` writes the file anew.

mod common;

use std::collections::BTreeMap;

use common::{fixture, logits_in_pieces, small_config};
use ovid_io::{Dtype, Silent, digest};
use ovid_model::{Config, Cpu, Gpt2, Layout, Params, Unit, save_gguf};
use ovid_stats::Draws;

/// Widths that the block types fill, and a vocabulary and context that no vector does.
fn model() -> Params {
    let config = Config { n_embd: 96, n_inner: 160, ..small_config() };
    let draws = Draws::new(11, 0);
    let layout = Layout::new(&config);
    let mut values = vec![0f32; layout.n_params()];
    for p in layout.parameters() {
        let middle = if p.name.contains("ln_") && p.name.ends_with(".weight") { 1.0 } else { 0.0 };
        for i in p.range.clone() {
            // Uniform, and exact on every machine: the normal distribution's logarithm and cosine are the platform's.
            values[i] = middle + (draws.unit_at(i as u64) - 0.5) as f32;
        }
    }
    Params { config, values }
}

#[test]
fn logits_have_the_golden_bits_on_every_unit_and_thread_count_and_in_every_piece() {
    let params = model();
    let ids: Vec<u32> = (0..params.config.n_ctx as u32).map(|i| (i * 7 + 3) % params.config.vocab_size as u32).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut found = BTreeMap::new();
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0] {
        let path = folder.path().join(format!("{dtype}.gguf"));
        save_gguf(&path, &params, dtype, &[], &Silent).unwrap();
        for unit in [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()) {
            for (n_threads, piece) in [(1, 1), (2, 7), (3, 64), (7, 512)] {
                let gpt2 = Gpt2::load(&path, Cpu::with_unit(n_threads, unit).unwrap(), &Silent).unwrap();
                let bytes: Vec<u8> = logits_in_pieces(&gpt2, &ids, piece).iter().flat_map(|x| x.to_le_bytes()).collect();
                let digest = digest::sha256(&bytes);
                let first = found.entry(dtype.to_string()).or_insert_with(|| digest.clone());
                assert_eq!(*first, digest, "{dtype}: {unit}, {n_threads} threads, pieces of {piece} differ from the first");
            }
        }
    }
    let path = fixture("golden.json");
    if std::env::var_os("OVID_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let golden: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(found, golden, "the arithmetic is another: see the head of this file");
}
