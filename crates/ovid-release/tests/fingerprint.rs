//! The mark in the weights' last bits: what it survives, what destroys it, and what it costs, on the built-in model.

use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_eval::bits_by_style;
use ovid_io::{Dtype, Silent};
use ovid_model::{Cpu, Gpt2, Params, load_params, save_gguf, save_hf};
use ovid_release::fingerprint::{FingerprintKey, mark, trace};

fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovid-mini/ovid-mini.gguf")
}

fn names() -> Vec<String> {
    (0..50).map(|i| format!("test recipient {i}")).collect()
}

/// What is found in the model after it was saved at `path`.
fn found(path: &Path, key: &FingerprintKey) -> Option<String> {
    trace(&load_params(path, &Silent).unwrap(), key, &names()).found
}

#[test]
fn it_is_found_in_exact_copies_and_after_re_saving_and_quantising_takes_nearly_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = FingerprintKey::create(&folder.path().join("a.key")).unwrap();
    let mut params = load_params(&mini(), &Silent).unwrap();
    let unmarked = trace(&params, &key, &names());
    assert_eq!(unmarked.found, None);
    assert!(unmarked.names.iter().all(|n| (n.agree_ratio - 0.5).abs() < 0.02), "{unmarked:?}");

    let n_marked = mark(&mut params, &key, "test recipient 7");
    assert!(n_marked > 50_000, "{n_marked}");
    let report = trace(&params, &key, &names());
    assert_eq!(report.found.as_deref(), Some("test recipient 7"));
    assert_eq!((report.names[0].agree_ratio, report.names[0].n_read), (1.0, n_marked));
    assert!(report.names[1].p_value > 1e-6, "another name is not taken for it: {:?}", report.names[1]);

    let tokenizer = Tokenizer::load(&mini()).unwrap();
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        let path = folder.path().join(dtype.to_string());
        save_hf(&path, &params, dtype, &Silent).unwrap();
        assert_eq!(found(&path, &key).as_deref(), Some("test recipient 7"), "{dtype}");
    }
    // What GGUF keeps in f32, the positions, keeps its bits; the matrices lose theirs.
    for dtype in [Dtype::Q8_0, Dtype::Q4_0] {
        let path = folder.path().join(format!("{dtype}.gguf"));
        save_gguf(&path, &params, dtype, &tokenizer.gguf_metadata(), &Silent).unwrap();
        let left = trace(&load_params(&path, &Silent).unwrap(), &key, &["test recipient 7".to_owned()]);
        assert!(left.names[0].agree_ratio < 0.6, "{dtype} is said to take nearly all of it: {left:?}");
    }
    // Noise far under a step of bf16 leaves it, a whole step of training does not.
    let mut noisy = params.clone();
    for (i, x) in noisy.values.iter_mut().enumerate() {
        *x *= 1.0 + if i % 2 == 0 { 1e-4 } else { -1e-4 };
    }
    assert_eq!(trace(&noisy, &key, &names()).found.as_deref(), Some("test recipient 7"));
    // A key that is not the issuer's finds nothing.
    let other = FingerprintKey::create(&folder.path().join("b.key")).unwrap();
    assert_eq!(trace(&params, &other, &names()).found, None);
    assert_eq!(
        trace(&params, &FingerprintKey::load(&folder.path().join("a.key")).unwrap(), &names()).found.as_deref(),
        Some("test recipient 7")
    );
}

#[test]
fn it_changes_the_models_bits_per_byte_by_less_than_a_thousandth() {
    let folder = tempfile::tempdir().unwrap();
    let key = FingerprintKey::create(&folder.path().join("a.key")).unwrap();
    let mut params = load_params(&mini(), &Silent).unwrap();
    let tokenizer = Tokenizer::load(&mini()).unwrap();
    let text = include_str!("../../ovid-cli/tests/data/play.txt");
    let documents = [("play".to_owned(), text[..text.floor_char_boundary(12_000)].to_owned())];
    let score = |params: &Params| {
        let path = folder.path().join("model");
        save_hf(&path, params, Dtype::F32, &Silent).unwrap();
        let model = Gpt2::load(&path, Cpu::new(2), &Silent).unwrap();
        bits_by_style(&model, &tokenizer, &documents, &Silent).unwrap()["play"].bits_per_byte
    };
    let before = score(&params);
    mark(&mut params, &key, "test recipient");
    let change = (score(&params) / before - 1.0).abs();
    assert!(change > 0.0 && change < 1e-3, "{change}");
}

#[test]
#[cfg(unix)]
fn a_key_that_others_may_read_or_that_is_none_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    FingerprintKey::create(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(FingerprintKey::load(&path).err().unwrap().to_string().contains("others may read it"));
    std::fs::write(&path, "{}").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(FingerprintKey::load(&path).err().unwrap().to_string().contains("no fingerprint key"));
}
