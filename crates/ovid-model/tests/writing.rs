//! What is written comes back: Hugging Face folders and GGUF files, every type, biases or none, tied or not.

mod common;

use common::{fixture, fixtures, logits, params_of, random_params, same_bits, saved, small_config};
use half::{bf16, f16};
use ovid_io::gguf::Gguf;
use ovid_io::safetensors::SafeTensors;
use ovid_io::{Dtype, Silent};
use ovid_kernels::quant;
use ovid_model::{Activation, Config, Cpu, Error, Gpt2, Layout, Params, load_params, save_gguf, save_hf};
use std::path::Path;

fn configs() -> Vec<Config> {
    vec![
        small_config(),
        Config { tie_word_embeddings: false, ..small_config() },
        Config { bias: false, ..small_config() },
        Config { n_inner: 64, n_embd: 96, ..small_config() },
    ]
}

fn ids(config: &Config) -> Vec<u32> {
    (0..config.n_ctx as u32).map(|i| (i * 7 + 3) % config.vocab_size as u32).collect()
}

fn load(path: &Path) -> Gpt2 {
    Gpt2::load(path, Cpu::new(2), &Silent).unwrap()
}

#[test]
fn a_folder_gives_back_its_parameters() {
    for config in configs() {
        let params = random_params(&config, 5);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let folder = tempfile::tempdir().unwrap();
            save_hf(folder.path(), &params, dtype, &Silent).unwrap();
            let back = params_of(folder.path());
            assert_eq!(back.config, config);
            let fields: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
            let name =
                [(Dtype::F32, "float32"), (Dtype::F16, "float16"), (Dtype::BF16, "bfloat16")].iter().find(|n| n.0 == dtype).unwrap().1;
            assert_eq!(fields["torch_dtype"], name);
            let rounded = |x: &f32| match dtype {
                Dtype::F32 => *x,
                Dtype::F16 => f16::from_f32(*x).to_f32(),
                _ => bf16::from_f32(*x).to_f32(),
            };
            let want: Vec<f32> = params.values.iter().map(rounded).collect();
            assert!(same_bits(&back.values, &want), "{dtype} {config:?}");
        }
    }
}

#[test]
fn the_fixtures_survive_reading_and_writing() {
    let fixtures = fixtures("logits").into_iter().chain([fixture("tensorflow"), fixture("gguf/untied.Q4_0.gguf")]);
    for path in fixtures {
        let params = params_of(&path);
        let again = params_of(saved(&params).path());
        assert_eq!(again.config, params.config, "{}", path.display());
        assert!(same_bits(&again.values, &params.values), "{}", path.display());
    }
}

#[test]
fn a_model_without_biases_is_written_with_zeros_and_read_without() {
    let config = Config { bias: false, ..small_config() };
    let params = random_params(&config, 6);
    let folder = saved(&params);
    let file = SafeTensors::open(&folder.path().join("model.safetensors")).unwrap();
    let full = Layout::new(&small_config());
    for p in full.parameters() {
        let view = file.tensor(&format!("transformer.{}", p.name)).unwrap().unwrap_or_else(|| panic!("{} is not written", p.name));
        assert_eq!(view.shape, p.shape, "{}", p.name);
        assert_eq!(Path::new(&p.name).extension().is_some_and(|e| e == "bias"), view.data.iter().all(|b| *b == 0), "{}", p.name);
    }
    // The same numbers under a configuration that has biases: what transformers makes of the folder.
    let mut with_zeros = Params { config: small_config(), values: vec![0.0; full.n_params()] };
    let own = Layout::new(&config);
    for p in own.parameters() {
        with_zeros.values[full.get(&p.name).unwrap().range.clone()].copy_from_slice(&params.values[p.range.clone()]);
    }
    assert!(same_bits(&logits(&load(folder.path()), &ids(&config)), &logits(&load(saved(&with_zeros).path()), &ids(&config))));
}

/// The parameters as a GGUF of a type means them: matrices by their rows of outputs.
fn as_stored(params: &Params, file: &Gguf) -> Params {
    let back = load_params(file.path(), &Silent).unwrap();
    assert_eq!(back.values.len(), params.values.len());
    back
}

#[test]
fn a_gguf_gives_the_logits_of_the_folder() {
    for config in configs().into_iter().filter(|c| c.bias) {
        let params = random_params(&config, 7);
        let ids = ids(&config);
        let folder = saved(&params);
        let want = logits(&load(folder.path()), &ids);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0] {
            let out = tempfile::tempdir().unwrap();
            let path = out.path().join("model.gguf");
            save_gguf(&path, &params, dtype, &[], &Silent).unwrap();
            let got = logits(&load(&path), &ids);
            let back = as_stored(&params, &Gguf::open(&path).unwrap());
            if dtype == Dtype::F32 {
                assert!(same_bits(&got, &want), "{config:?}");
                assert!(same_bits(&back.values, &params.values), "{config:?}");
            }
            if dtype == Dtype::F16 {
                // A product with f16 weights is the chain of the f32 ones: the values that the file holds, written out, give the same bits.
                assert!(same_bits(&got, &logits(&load(saved(&back).path()), &ids)), "{config:?}");
            }
            // Every weight is what its type makes of it, whichever way round it lies.
            let layout = Layout::new(&config);
            for p in layout.parameters() {
                let (was, is) = (&params.values[p.range.clone()], &back.values[p.range.clone()]);
                let step = was.iter().fold(0f32, |m, x| m.max(x.abs()))
                    * match dtype {
                        Dtype::F32 => 0.0,
                        Dtype::F16 => 1.0 / 2048.0,
                        Dtype::BF16 => 1.0 / 256.0,
                        Dtype::Q8_0 => 0.5 / 127.0 + 1.0 / 2048.0,
                        _ => 1.01 / 8.0,
                    };
                let error = common::greatest_difference(was, is);
                assert!(error <= step, "{dtype} {}: {error} of {step}", p.name);
                assert!(p.shape.len() > 1 && p.name != "wpe.weight" || error == 0.0, "{dtype} {}", p.name);
            }
        }
    }
}

#[test]
fn a_quantised_gguf_holds_the_blocks_of_its_rows() {
    let config = Config { n_inner: 64, n_embd: 96, tie_word_embeddings: false, ..small_config() };
    let params = random_params(&config, 8);
    let layout = Layout::new(&config);
    for dtype in [Dtype::Q8_0, Dtype::Q4_0] {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("model.gguf");
        save_gguf(&path, &params, dtype, &[], &Silent).unwrap();
        let file = Gguf::open(&path).unwrap();
        let p = layout.get("h.1.mlp.c_proj.weight").unwrap();
        let (n_in, n_out) = (p.shape[0], p.shape[1]);
        let view = file.tensor("blk.1.ffn_down.weight").unwrap();
        assert_eq!((view.dtype, view.shape.as_slice()), (dtype, &[n_out, n_in][..]));
        let w = &params.values[p.range.clone()];
        let rows: Vec<f32> = (0..n_in * n_out).map(|i| w[i % n_in * n_out + i / n_in]).collect();
        let mut want = Vec::new();
        quant::quantise(dtype, &rows, &mut want);
        assert_eq!(view.data, want, "{dtype}");
        // Embedding and head stay at eight bits, as llama.cpp's quantiser keeps them.
        assert_eq!(file.tensor("token_embd.weight").unwrap().dtype, Dtype::Q8_0);
        assert_eq!(file.tensor("output.weight").unwrap().dtype, Dtype::Q8_0);
    }
}

#[test]
fn a_model_without_biases_is_a_gguf_with_zeros() {
    let config = Config { bias: false, ..small_config() };
    let params = random_params(&config, 9);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("model.gguf");
    save_gguf(&path, &params, Dtype::F32, &[], &Silent).unwrap();
    assert!(Gguf::open(&path).unwrap().tensor("blk.0.attn_qkv.bias").unwrap().data.iter().all(|b| *b == 0));
    assert!(same_bits(&logits(&load(&path), &ids(&config)), &logits(&load(saved(&params).path()), &ids(&config))));
}

#[test]
fn what_a_gguf_cannot_say_is_refused_by_name() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("model.gguf");
    for (config, key) in [
        (Config { activation: Activation::Relu, ..small_config() }, "activation_function"),
        (Config { scale_attn_weights: false, ..small_config() }, "scale_attn_weights"),
        (Config { scale_attn_by_inverse_layer_idx: true, ..small_config() }, "scale_attn_by_inverse_layer_idx"),
    ] {
        match save_gguf(&path, &random_params(&config, 1), Dtype::F32, &[], &Silent) {
            Err(Error::Config { key: named, .. }) => assert_eq!(named, key),
            other => panic!("{key}: {other:?}"),
        }
        assert!(!path.exists());
    }
}

#[test]
fn weights_that_the_type_cannot_hold_are_refused_before_anything_is_written() {
    let mut params = random_params(&small_config(), 2);
    params.values[40] = 1e6;
    for dtype in [Dtype::F16, Dtype::Q8_0] {
        let out = tempfile::tempdir().unwrap();
        params.values[40] = if dtype == Dtype::F16 { 1e6 } else { f32::NAN };
        let text = save_hf(out.path(), &params, if dtype == Dtype::F16 { dtype } else { Dtype::F32 }, &Silent).unwrap_err().to_string();
        assert!(text.contains("wte.weight"), "{text}");
        let path = out.path().join("model.gguf");
        let text = save_gguf(&path, &params, dtype, &[], &Silent).unwrap_err().to_string();
        assert!(text.contains("token_embd.weight") && !path.exists(), "{text}");
        assert!(!out.path().join("model.safetensors").exists());
    }
    // A block type, and no folder holds one.
    params.values[40] = 0.0;
    let out = tempfile::tempdir().unwrap();
    assert!(save_hf(out.path(), &params, Dtype::Q8_0, &Silent).is_err());
    assert!(save_gguf(&out.path().join("a.gguf"), &params, Dtype::Q4K, &[], &Silent).is_err());
}

#[test]
fn parameters_of_another_length_are_refused() {
    let mut params = random_params(&small_config(), 2);
    params.values.pop();
    let out = tempfile::tempdir().unwrap();
    assert!(save_hf(out.path(), &params, Dtype::F32, &Silent).is_err());
    assert!(save_gguf(&out.path().join("a.gguf"), &params, Dtype::F32, &[], &Silent).is_err());
}
