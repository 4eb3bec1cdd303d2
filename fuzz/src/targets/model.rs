//! Whole models of `ovid-model`: configurations, and GGUF files as they are loaded and run. Folders of several files are pressed on in `ovid-model`'s own tests
//! (`tests/mutants.rs`).

use ovid_io::gguf::Gguf;
use ovid_io::{Dtype, Mapped, Silent};
use ovid_model::{Config, Cpu, Gpt2, Layout, Params, Segment, Want, save_gguf};
use std::path::Path;

use crate::{Target, leave};

/// Parameters that are all different and none too great.
fn params(config: Config) -> Params {
    let values = (0..Layout::new(&config).n_params()).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
    Params { config, values }
}

/// One pass over the model: whatever was loaded must run.
fn runs(model: &Gpt2) {
    let mut kv = model.kv_pool(1).expect("there is memory for one position");
    let sequence = kv.sequence();
    model.forward(&[Segment { sequence, tokens: &[0] }], &mut kv, Want::LastLogits).expect("a loaded model runs");
}

pub(super) const CONFIGURATION: Target = Target {
    name: "configuration",
    seeds: || {
        let without = Config { bias: false, tie_word_embeddings: false, ..Config::new(5, 3, 4, 1, 2) };
        vec![
            Config::preset("gpt2").expect("there is a gpt2").to_json(Dtype::F32).into_bytes(),
            without.to_json(Dtype::F32).into_bytes(),
            br#"{"vocab_size":97,"n_ctx":33,"n_embd":20,"n_layer":2,"n_head":2}"#.to_vec(),
        ]
    },
    parse: |file| {
        let Ok(config) = Config::from_json(file, Path::new("fuzz")) else { return false };
        let again = Config::from_json(config.to_json(Dtype::F32).as_bytes(), Path::new("fuzz")).expect("what is written can be read");
        assert_eq!(again, config);
        true
    },
    mend: leave,
    words: &[
        "\"n_inner\":",
        "\"n_positions\":",
        "\"bias\":false",
        "\"activation_function\":\"relu\"",
        "\"model_type\":\"gpt2\"",
        "\"quantization_config\":",
        "16777216",
        "4096",
        "1e-5",
        "null",
        "[",
    ],
};

pub(super) const GGUF_MODEL: Target = Target {
    name: "gguf-model",
    seeds: || {
        let of = |config: Config, dtype: Dtype| {
            let path = std::env::temp_dir().join(format!("ovid-fuzz-model-{}", std::process::id()));
            save_gguf(&path, &params(config), dtype, &[], &Silent).expect("a seed can be written to the folder for temporary files");
            let bytes = std::fs::read(&path).expect("what was written can be read");
            std::fs::remove_file(&path).expect("what was written can be removed");
            bytes
        };
        let wide = || Config { n_inner: 32, ..Config::new(3, 2, 32, 1, 2) };
        vec![of(Config::new(5, 3, 4, 1, 2), Dtype::F32), of(wide(), Dtype::Q8_0), of(wide(), Dtype::Q4_0)]
    },
    parse: |file| {
        let Ok(gguf) = Gguf::new(Mapped::from_vec("fuzz", file.to_vec())) else { return false };
        let Ok(model) = Gpt2::from_gguf(&gguf, Cpu::new(1), &Silent) else { return false };
        runs(&model);
        true
    },
    mend: leave,
    words: &["gpt2.block_count", "gpt2.embedding_length", "token_embd.weight", "blk.0.attn_qkv.weight", "output.weight", "GGUF"],
};
