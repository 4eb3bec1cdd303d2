//! Every other way in: OpenAI's TensorFlow layout, GGUF in every type that llama.cpp's quantiser writes here, and minGPT's trained sorter.

mod common;

use common::{Fixture, fixture, greatest_difference, logits, logits_in_pieces, same_bits, saved};
use ovid_io::gguf::Gguf;
use ovid_io::{Silent, digest};
use ovid_kernels::quant;
use ovid_model::{Config, Cpu, Gpt2, Layout, Params, Unit};
use serde_json::Value;
use std::path::Path;

#[test]
fn the_tensorflow_layout_gives_the_logits_of_transformers() {
    let folder = fixture("tensorflow");
    let model = Gpt2::load(&folder, Cpu::new(2), &Silent).unwrap();
    let expected = Fixture::open(&folder.join("expected.safetensors"));
    for i in 0..3 {
        let ids = expected.u32s(&format!("ids.{i}")).unwrap();
        let difference = greatest_difference(&logits(&model, &ids), &expected.f32s(&format!("logits64.{i}")).unwrap());
        println!("tensorflow, {} tokens: {difference:.1e}", ids.len());
        assert!(difference < 2e-4, "sequence {i}: {difference}");
    }
}

fn index() -> Vec<Value> {
    let index: Value = serde_json::from_slice(&std::fs::read(fixture("gguf/index.json")).unwrap()).unwrap();
    index["files"].as_array().unwrap().clone()
}

#[test]
fn ggufs_of_every_type_give_the_logits_that_their_weights_and_inputs_explain() {
    let expected = Fixture::open(&fixture("gguf/expected.safetensors"));
    let mut n_files = 0;
    for entry in index() {
        let name = entry["file"].as_str().unwrap();
        let key = name.strip_suffix(".gguf").unwrap();
        let Some(ids) = expected.u32s(&format!("{key}/ids")) else { continue };
        n_files += 1;
        // What Ovid computes: Q8_0 and Q4_0 round the input of each product to 8 bits in blocks of 32; the others take it as it is, but bf16, which rounds it to bf16.
        // A value on the edge between two roundings falls on the other side where f32 and f64 differ in their last digit: hence the steps.
        let quantised = key.ends_with("Q8_0") || key.ends_with("Q4_0");
        let (want, tolerance) = match key {
            _ if quantised => ("logits_q8x32", 0.1),
            "tied.BF16" => ("logits", 0.15),
            _ => ("logits", 2e-4),
        };
        let want = expected.f32s(&format!("{key}/{want}")).unwrap();
        let plain = expected.f32s(&format!("{key}/logits")).unwrap();
        let model = Gpt2::load(&fixture("gguf").join(name), Cpu::new(2), &Silent).unwrap();
        let whole = logits(&model, &ids);
        let difference = greatest_difference(&whole, &want);
        println!("{key}: {difference:.1e} from what is expected, {:.1e} from exact inputs", greatest_difference(&whole, &plain));
        assert!(difference < tolerance, "{key}: {difference}");
        if quantised {
            // The test would not see a product that forgot to round: the rounding itself must stand out.
            assert!(greatest_difference(&plain, &want) > 2.0 * difference, "{key}");
        }
        for piece in [1, 3] {
            assert!(same_bits(&whole, &logits_in_pieces(&model, &ids, piece)), "{key} in pieces of {piece}");
        }
        for unit in [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()) {
            let other = Gpt2::load(&fixture("gguf").join(name), Cpu::with_unit(3, unit).unwrap(), &Silent).unwrap();
            assert!(same_bits(&whole, &logits(&other, &ids)), "{key} on {unit}");
        }
    }
    assert_eq!(n_files, 7);
}

#[test]
fn blocks_mean_what_gguf_py_says() {
    let expected = Fixture::open(&fixture("gguf/expected.safetensors"));
    let mut n_rows = 0;
    for entry in index() {
        let name = entry["file"].as_str().unwrap();
        let key = name.strip_suffix(".gguf").unwrap();
        let file = Gguf::open(&fixture("gguf").join(name)).unwrap();
        for (tensor, about) in entry["tensors"].as_object().unwrap() {
            let view = file.tensor(tensor).unwrap();
            let shape: Vec<u64> = about["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
            assert_eq!(view.shape.iter().map(|n| *n as u64).collect::<Vec<_>>(), shape, "{key} {tensor}");
            assert_eq!(view.dtype.to_string(), about["type"].as_str().unwrap(), "{key} {tensor}");
            let mut values = vec![0f32; view.shape.iter().product()];
            quant::dequantise(view.dtype, view.data, &mut values);
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            let width = view.shape[view.shape.len() - 1];
            if let Some(rows) = expected.f32s(&format!("{key}/{tensor}")) {
                let n = view.shape[0];
                for (row, want) in [0, n / 2, n - 1].into_iter().zip(rows.chunks_exact(width)) {
                    assert!(same_bits(&values[row * width..][..width], want), "{key} {tensor}, row {row}");
                    n_rows += 1;
                }
            }
            assert_eq!(digest::sha256(&bytes), about["sha256"].as_str().unwrap(), "{key} {tensor}");
        }
    }
    assert!(n_rows >= 60, "{n_rows}");
}

/// One tensor of minGPT's JSON files: base64 of little-endian f32.
fn values(entry: &Value) -> Vec<f32> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = entry["data"].as_str().unwrap().trim_end_matches('=');
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let bits = four.iter().fold(0u32, |bits, c| bits << 6 | u32::from(digit(*c))) << (6 * (4 - four.len()));
        bytes.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Hugging Face's orientation of minGPT's tensors.
fn sorter(model: &Value) -> Params {
    let size = |key: &str| usize::try_from(model["config"][key].as_u64().unwrap()).unwrap();
    let shape = Config::new(size("vocab_size"), size("block_size"), size("n_embd"), size("n_layer"), size("n_head"));
    let config = Config { tie_word_embeddings: false, ..shape };
    let mut params = Vec::new();
    for p in Layout::new(&config).parameters() {
        let name = if p.name == "lm_head.weight" { p.name.clone() } else { format!("transformer.{}", p.name) };
        let stored = values(&model[&name]);
        assert_eq!(stored.len(), p.range.len(), "{name}");
        if p.name.contains(".c_") && p.name.ends_with(".weight") {
            let (n_in, n_out) = (p.shape[0], p.shape[1]);
            params.extend((0..n_in * n_out).map(|i| stored[i % n_out * n_in + i / n_out]));
        } else {
            params.extend(stored);
        }
    }
    Params { config, values: params }
}

#[test]
fn mingpts_sorter_gives_its_stored_activations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/misc/gpt_nano_sort");
    if !folder.is_dir() {
        println!("skipped: no ../shared");
        return;
    }
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let params = sorter(&read("gpt-nano-sort-model.json"));
    let partials = read("gpt-nano-sort-t0-partials.json");
    let out = saved(&params);
    let model = Gpt2::load(out.path(), Cpu::new(2), &Silent).unwrap();
    let ids: Vec<u32> = values(&partials["idx"]).iter().map(|x| *x as u32).collect();
    let want = values(&partials["lm_head"]);
    let (t, vocab) = (params.config.n_ctx, params.config.vocab_size);
    for (i, ids) in ids.chunks_exact(t).enumerate() {
        let got = logits(&model, ids);
        let difference = greatest_difference(&got, &want[i * t * vocab..][..t * vocab]);
        println!("sequence {i}: {difference:.1e}");
        assert!(difference < 2e-5, "sequence {i}: {difference}");
    }
    // The stream after each layer, and the last norm, seen through a model that ends there and whose head is the identity.
    let c = params.config.n_embd;
    let full = Layout::new(&params.config);
    for (n_layer, stored) in [(1, "block0"), (2, "block1"), (3, "block2"), (3, "ln_f")] {
        let config = Config { n_layer, vocab_size: c, ..params.config.clone() };
        let layout = Layout::new(&config);
        let mut cut = vec![0f32; layout.n_params()];
        for p in layout.parameters() {
            let own = &params.values[full.get(&p.name).unwrap().range.clone()];
            let to = &mut cut[p.range.clone()];
            match p.name.as_str() {
                "lm_head.weight" => (0..c).for_each(|i| to[i * c + i] = 1.0),
                "ln_f.weight" if stored != "ln_f" => to.fill(1.0),
                "ln_f.bias" if stored != "ln_f" => {}
                _ => to[..own.len()].copy_from_slice(own),
            }
        }
        let out = saved(&Params { config, values: cut });
        let model = Gpt2::load(out.path(), Cpu::new(2), &Silent).unwrap();
        let want = values(&partials[stored]);
        for (ids, want) in ids.chunks_exact(t).zip(want.chunks_exact(t * c)) {
            let want = if stored == "ln_f" { want.to_vec() } else { want.chunks_exact(c).flat_map(normed).collect() };
            let difference = greatest_difference(&logits(&model, ids), &want);
            assert!(difference < 2e-5, "{stored}: {difference}");
        }
    }
}

fn normed(x: &[f32]) -> Vec<f32> {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|x| ((f64::from(*x) - mean) / (variance + 1e-5).sqrt()) as f32).collect()
}
