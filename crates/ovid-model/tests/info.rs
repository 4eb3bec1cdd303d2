//! What a checkpoint says of itself is what is loaded from it, and it is said without the weights being read.

mod common;

use common::{fixture, fixtures, saved, small_config};
use ovid_io::{Dtype, Silent};
use ovid_model::{Config, Cpu, Gpt2, Info, save_gguf};

#[test]
fn every_layout_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let quantised = folder.path().join("q.gguf");
    let wide = Config { n_inner: 64, n_embd: 96, ..small_config() };
    save_gguf(&quantised, &common::random_params(&wide, 5), Dtype::Q8_0, &[], &Silent).unwrap();
    let all = fixtures("logits").into_iter().chain([fixture("tensorflow"), fixture("gguf/untied.Q4_0.gguf"), quantised]);
    for path in all {
        let info = Info::read("x", &path).unwrap();
        let model = Gpt2::load(&path, Cpu::new(1), &Silent).unwrap();
        let config = model.config();
        assert_eq!((info.n_layer, info.n_head, info.n_embd, info.n_ctx), (config.n_layer, config.n_head, config.n_embd, config.n_ctx));
        assert_eq!((info.vocab_size, info.bias, info.tied_head), (config.vocab_size, config.bias, config.tie_word_embeddings));
        assert_eq!((info.n_params, info.dtype), (config.n_params() as u64, model.dtype()), "{}", path.display());
        assert_eq!((info.path, info.sha256, info.tokenizer_size), (Some(path), None, None));
    }
}

#[test]
fn weights_that_would_be_refused_are_not_looked_at() {
    let mut params = common::random_params(&small_config(), 5);
    let folder = saved(&params);
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    assert!(Gpt2::load(folder.path(), Cpu::new(1), &Silent).is_err());
    let info = Info::read("x", folder.path()).unwrap();
    // But what the header says must be true of the configuration.
    assert_eq!(info.n_params, params.values.len() as u64);
    params.config.n_embd = 24;
    std::fs::write(folder.path().join("config.json"), params.config.to_json(Dtype::F32)).unwrap();
    assert!(Info::read("x", folder.path()).unwrap_err().to_string().contains("shape"));
}

#[test]
fn the_form_is_stable() {
    let info = Info::read("tiny", &fixture("gguf/untied.Q4_0.gguf")).map(|info| Info { path: None, ..info }).unwrap();
    let json = serde_json::to_string(&info).unwrap();
    assert!(json.starts_with(r#"{"name":"tiny","path":null,"sha256":null,"n_params":"#), "{json}");
    assert!(json.ends_with(r#""bias":true,"tied_head":false,"dtype":"Q4_0","tokenizer_size":null}"#), "{json}");
    assert_eq!(serde_json::from_str::<Info>(&json).unwrap(), info);
}
