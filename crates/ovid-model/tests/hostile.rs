//! Checkpoints that are cut off, mislabelled or made to do harm: each is refused with the file and the tensor or field, and nothing is believed before it is checked.

mod common;

use common::{fixture, random_params, saved, small_config};
use ovid_io::gguf::{GgufWriter, Value};
use ovid_io::safetensors::SafeTensorsWriter;
use ovid_io::{Dtype, Silent, TensorSpec};
use ovid_model::{Config, Cpu, Gpt2, Layout, load_params, save_gguf, save_hf};
use std::fs;
use std::path::{Path, PathBuf};

/// Both ways in refuse it, with a message that names all of `words`.
fn refused(path: &Path, words: &[&str]) {
    let loaded = Gpt2::load(path, Cpu::new(1), &Silent).map(|_| ()).map_err(|e| e.to_string());
    let params = load_params(path, &Silent).map(|_| ()).map_err(|e| e.to_string());
    for outcome in [loaded, params] {
        let text = outcome.expect_err(&format!("{} is not refused ({words:?})", path.display()));
        assert!(words.iter().all(|w| text.contains(w)), "{words:?} do not stand in: {text}");
        assert!(text.len() < 700 && !text.ends_with('.'), "{text}");
    }
}

fn copy(folder: &Path) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, out.path().join(path.file_name().unwrap())).unwrap();
    }
    out
}

type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

fn tensors(config: &Config, dtype: Dtype) -> Vec<Tensor> {
    let params = random_params(config, 3);
    let one = |p: &ovid_model::Parameter| {
        let mut bytes = Vec::new();
        ovid_kernels::quant::quantise(dtype, &params.values[p.range.clone()], &mut bytes);
        (format!("transformer.{}", p.name), dtype, p.shape.clone(), bytes)
    };
    Layout::new(config).parameters().iter().map(one).collect()
}

/// A folder of a configuration and any tensors.
fn folder(config: &Config, tensors: &[Tensor]) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("config.json"), config.to_json(Dtype::F32)).unwrap();
    let specs: Vec<TensorSpec> =
        tensors.iter().map(|(name, dtype, shape, _)| TensorSpec::new(name.clone(), *dtype, shape.clone())).collect();
    let mut file = SafeTensorsWriter::create(&out.path().join("model.safetensors"), &[], &specs).unwrap();
    for (name, _, _, bytes) in tensors {
        file.append(name, bytes).unwrap();
    }
    file.finish().unwrap();
    out
}

#[test]
fn the_unchanged_folder_loads() {
    let config = small_config();
    let out = folder(&config, &tensors(&config, Dtype::F32));
    assert!(Gpt2::load(out.path(), Cpu::new(1), &Silent).is_ok());
}

#[test]
fn tensors_that_are_not_the_configurations_are_named() {
    let config = small_config();
    let all = tensors(&config, Dtype::F32);
    for i in 0..all.len() {
        let name = all[i].0.as_str();
        let mut missing = all.clone();
        missing.remove(i);
        // Without `transformer.wte.weight` the names are taken for bare ones, and the first of them has no place.
        let named = if i == 0 { "transformer." } else { name };
        refused(folder(&config, &missing).path(), &[named]);
        let mut wrong = all.clone();
        wrong[i].2 = match wrong[i].2[..] {
            [n] => vec![n, 1],
            [n, m] => vec![m * 2, n / 2 * 2],
            _ => unreachable!(),
        };
        let n: usize = wrong[i].2.iter().product();
        wrong[i].3.resize(n * 4, 0);
        refused(folder(&config, &wrong).path(), &[name, "shape"]);
    }
    for surplus in ["transformer.h.2.ln_1.weight", "transformer.h.0.attn.rotary", "score.weight"] {
        let mut more = all.clone();
        more.push((surplus.to_owned(), Dtype::F32, vec![12], vec![0; 48]));
        refused(folder(&config, &more).path(), &[surplus, "no place"]);
    }
    // A bias where the configuration has none: zeros say the same, anything else does not.
    let without = Config { bias: false, ..config.clone() };
    refused(folder(&without, &all).path(), &[".bias", "no place"]);
    // A head that is tied and stored once more says the same, or the folder is refused: one of the two would be ignored.
    let embedding = all.iter().find(|t| t.0.ends_with("wte.weight")).unwrap();
    let with_head = |change: u8| {
        let mut bytes = embedding.3.clone();
        bytes[5] ^= change;
        folder(&config, &[&all[..], &[("lm_head.weight".to_owned(), embedding.1, embedding.2.clone(), bytes)]].concat())
    };
    assert!(load_params(with_head(0).path(), &Silent).is_ok());
    refused(with_head(1).path(), &["lm_head.weight", "transformer.wte.weight", "tie_word_embeddings"]);
    // An untied head that is not there.
    let untied = Config { tie_word_embeddings: false, ..config.clone() };
    refused(folder(&untied, &all).path(), &["lm_head.weight", "missing"]);
}

#[test]
fn tensors_of_types_that_no_weight_has_are_named() {
    let config = small_config();
    let out = folder(&config, &tensors(&config, Dtype::F32));
    let path = out.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for other in ["I32", "U32", "I64", "F64", "BOOL", "Q99"] {
        let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = String::from_utf8(bytes[8..8 + n].to_vec()).unwrap();
        let at = header.find("transformer.h.1.mlp.c_fc.weight").unwrap();
        let at = at + header[at..].find("F32").unwrap();
        let header = format!("{}{other}{}", &header[..at], &header[at + 3..]);
        fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + n..]].concat()).unwrap();
        refused(out.path(), &["model.safetensors", "transformer.h.1.mlp.c_fc.weight"]);
    }
}

#[test]
fn weights_that_are_not_numbers_are_named_in_every_type() {
    let config = Config { n_embd: 32, n_inner: 64, n_head: 2, ..small_config() };
    for (dtype, nan, others) in [
        (Dtype::F32, 0x7fc0_0000u32, [0x7f80_0000u32, 0xff80_0000, 0x7f80_0001]),
        (Dtype::F16, 0x7e00, [0x7c00, 0xfc00, 0x7c01]),
        (Dtype::BF16, 0x7fc0, [0x7f80, 0xff80, 0x7f81]),
    ] {
        let all = tensors(&config, dtype);
        let spoilt = |i: usize, bits: u32| {
            let mut bad = all.clone();
            let last = bad[i].3.len() - dtype.block_bytes();
            bad[i].3[last..].copy_from_slice(&bits.to_le_bytes()[..dtype.block_bytes()]);
            refused(folder(&config, &bad).path(), &[&all[i].0, "NaN or infinity"]);
        };
        (0..all.len()).for_each(|i| spoilt(i, nan));
        for bits in others {
            spoilt(3, bits);
        }
    }
    // Blocks: their scales are half-precision numbers.
    for (dtype, tensor) in [(Dtype::Q8_0, "blk.1.ffn_up.weight"), (Dtype::Q4_0, "blk.1.ffn_up.weight"), (Dtype::Q8_0, "token_embd.weight")]
    {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("model.gguf");
        save_gguf(&path, &random_params(&config, 3), dtype, &[], &Silent).unwrap();
        spoil(&path, tensor, |data| data[dtype.block_bytes()..][..2].copy_from_slice(&0x7e00u16.to_le_bytes()));
        refused(&path, &["model.gguf", tensor, "NaN or infinity"]);
    }
    for (tensor, at) in [("blk.0.attn_output.weight", 0), ("blk.0.attn_output.weight", 2), ("token_embd.weight", 208)] {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("model.gguf");
        fs::copy(fixture("gguf/wide.Q4_K_M.gguf"), &path).unwrap();
        spoil(&path, tensor, |data| data[at..at + 2].copy_from_slice(&0xfc00u16.to_le_bytes()));
        refused(&path, &["model.gguf", tensor, "NaN or infinity"]);
    }
}

/// Changes a tensor's bytes in a GGUF file.
fn spoil(path: &Path, tensor: &str, change: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(path).unwrap();
    let file = ovid_io::gguf::Gguf::open(path).unwrap();
    let data = file.tensor(tensor).unwrap().data.to_vec();
    let at = bytes.windows(data.len()).position(|w| w == data).unwrap();
    drop(file);
    change(&mut bytes[at..at + data.len()]);
    fs::write(path, bytes).unwrap();
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    let config = Config::new(7, 3, 4, 1, 2);
    let params = random_params(&config, 3);
    let out = saved(&params);
    let gguf = out.path().join("a.gguf");
    save_gguf(&gguf, &params, Dtype::F32, &[], &Silent).unwrap();
    for (path, model) in [
        (out.path().join("model.safetensors"), out.path().to_owned()),
        (out.path().join("config.json"), out.path().to_owned()),
        (gguf.clone(), gguf.clone()),
    ] {
        let whole = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The last bytes of a JSON text may be white space, those of a GGUF padding.
        for len in (0..whole.len() - 33).step_by(29).chain([whole.len() - 33]) {
            fs::write(&path, &whole[..len]).unwrap();
            refused(&model, &[&name]);
        }
        fs::write(&path, &whole).unwrap();
    }
    let tf = copy(&fixture("tensorflow"));
    for name in ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "hparams.json"] {
        let path = tf.path().join(name);
        let whole = fs::read(&path).unwrap();
        for len in [0, 1, whole.len() / 2, whole.len() - 2] {
            fs::write(&path, &whole[..len]).unwrap();
            refused(tf.path(), &[name]);
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(Gpt2::load(tf.path(), Cpu::new(1), &Silent).is_ok());
}

#[test]
fn what_is_no_model_says_what_was_looked_for() {
    let out = tempfile::tempdir().unwrap();
    refused(out.path(), &["config.json", "hparams.json"]);
    refused(&out.path().join("absent"), &["absent"]);
    let text = out.path().join("poem.txt");
    fs::write(&text, "shall i compare thee").unwrap();
    refused(&text, &["poem.txt", "GGUF"]);
    fs::write(out.path().join("config.json"), small_config().to_json(Dtype::F32)).unwrap();
    refused(out.path(), &["model.safetensors"]);
    fs::write(out.path().join("pytorch_model.bin"), "x").unwrap();
    refused(out.path(), &["pickle"]);
}

#[test]
fn overlapping_tensors_are_refused() {
    let config = small_config();
    let out = folder(&config, &tensors(&config, Dtype::F32));
    let path = out.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
    let same = header["transformer.h.0.ln_1.weight"]["data_offsets"].clone();
    header["transformer.h.1.ln_2.bias"]["data_offsets"] = same;
    let header = header.to_string();
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + n..]].concat()).unwrap();
    refused(out.path(), &["model.safetensors", "overlaps"]);
}

#[test]
fn shards_that_leave_the_folder_or_name_themselves_are_refused() {
    let index = "model.safetensors.index.json";
    for (shard, words) in [
        ("../model.safetensors", &["wte.weight", index][..]),
        ("/etc/passwd", &["wte.weight", index]),
        (index, &["wte.weight", index]),
        ("sub/model.safetensors", &["wte.weight", index]),
        ("", &["wte.weight", index]),
        ("absent.safetensors", &["absent.safetensors"]),
    ] {
        let out = copy(&fixture("logits/mid"));
        let text = fs::read_to_string(out.path().join(index)).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let key = json["weight_map"].as_object().unwrap().keys().find(|k| k.ends_with("wte.weight")).unwrap().clone();
        json["weight_map"][&key] = shard.into();
        fs::write(out.path().join(index), json.to_string()).unwrap();
        refused(out.path(), words);
    }
    // A tensor that the index puts into another shard, and one that it does not know.
    let out = copy(&fixture("logits/mid"));
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(out.path().join(index)).unwrap()).unwrap();
    let map = json["weight_map"].as_object_mut().unwrap();
    let removed = map.keys().next().unwrap().clone();
    map.remove(&removed);
    fs::write(out.path().join(index), json.to_string()).unwrap();
    refused(out.path(), &[&removed]);
}

#[cfg(unix)]
#[test]
fn folders_and_devices_in_place_of_files_are_refused() {
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("config.json"), small_config().to_json(Dtype::F32)).unwrap();
    fs::create_dir(out.path().join("model.safetensors")).unwrap();
    refused(out.path(), &["model.safetensors"]);
    fs::remove_dir(out.path().join("model.safetensors")).unwrap();
    std::os::unix::fs::symlink("model.safetensors", out.path().join("model.safetensors")).unwrap();
    refused(out.path(), &["model.safetensors"]);
}

/// A GGUF with the metadata of a small model, changed.
fn gguf(out: &Path, change: impl Fn(&mut Vec<(String, Value)>)) -> PathBuf {
    let mut metadata: Vec<(String, Value)> = vec![("general.architecture".to_owned(), "gpt2".into())];
    for (key, n) in
        [("context_length", 4u32), ("embedding_length", 4), ("feed_forward_length", 8), ("block_count", 1), ("attention.head_count", 2)]
    {
        metadata.push((format!("gpt2.{key}"), n.into()));
    }
    change(&mut metadata);
    let path = out.join("made.gguf");
    let specs = [TensorSpec::new("token_embd.weight", Dtype::F32, [3, 4])];
    let mut file = GgufWriter::create(&path, &metadata, &specs).unwrap();
    file.append("token_embd.weight", &[0; 48]).unwrap();
    file.finish().unwrap();
    path
}

#[test]
fn gguf_metadata_that_is_no_gpt2_is_refused_by_key() {
    let out = tempfile::tempdir().unwrap();
    let set = |key: &'static str, value: Value| {
        move |metadata: &mut Vec<(String, Value)>| {
            metadata.retain(|(k, _)| k != key);
            metadata.push((key.to_owned(), value.clone()));
        }
    };
    let keys =
        ["gpt2.context_length", "gpt2.embedding_length", "gpt2.feed_forward_length", "gpt2.block_count", "gpt2.attention.head_count"];
    for key in keys {
        for value in [Value::U32(0), Value::U32(u32::MAX), Value::U64(u64::MAX), Value::I32(-1), "12".into(), Value::F32(4.0)] {
            refused(&gguf(out.path(), set(key, value)), &["made.gguf", key]);
        }
        refused(&gguf(out.path(), |m| m.retain(|(k, _)| k != key)), &["made.gguf", key, "missing"]);
    }
    refused(&gguf(out.path(), set("general.architecture", "llama".into())), &["made.gguf", "general.architecture"]);
    refused(&gguf(out.path(), |m| m.retain(|(k, _)| k != "general.architecture")), &["made.gguf", "general.architecture"]);
    for eps in [f32::NAN, -1.0, f32::INFINITY, 2.0] {
        refused(&gguf(out.path(), set("gpt2.attention.layer_norm_epsilon", Value::F32(eps))), &["made.gguf", "epsilon"]);
    }
    for key in ["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"] {
        refused(&gguf(out.path(), set(key, Value::U64(1 << 40))), &["made.gguf", key]);
    }
    refused(&gguf(out.path(), |_| ()), &["made.gguf", "missing"]);
}

#[test]
fn dimensions_far_beyond_the_file_are_refused() {
    let small = tensors(&small_config(), Dtype::F32);
    for (config, words) in [
        (Config { n_embd: 1 << 24, n_head: 1, ..small_config() }, &["wte.weight"][..]),
        (Config { vocab_size: 1 << 24, ..small_config() }, &["wte.weight"]),
        (Config { n_ctx: 1 << 24, ..small_config() }, &["wpe.weight"]),
        (Config { n_inner: 1 << 24, ..small_config() }, &["c_fc.weight"]),
        (Config { n_layer: 1 << 12, ..small_config() }, &["n_layer"]),
    ] {
        refused(folder(&config, &small).path(), words);
    }
    let out = tempfile::tempdir().unwrap();
    let change = |m: &mut Vec<(String, Value)>| {
        m.retain(|(k, _)| k != "gpt2.block_count");
        m.push(("gpt2.block_count".to_owned(), Value::U32(1 << 12)));
    };
    refused(&gguf(out.path(), change), &["made.gguf", "block_count"]);
}

#[test]
fn a_gguf_with_absurd_counts_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("a.gguf");
    save_gguf(&path, &random_params(&small_config(), 3), Dtype::F32, &[], &Silent).unwrap();
    let whole = fs::read(&path).unwrap();
    // The counts of tensors and of metadata lie at bytes 8 and 16.
    for at in [8, 16] {
        for n in [u64::MAX, 1 << 63, 1 << 40, 1 << 20] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&n.to_le_bytes());
            fs::write(&path, bytes).unwrap();
            refused(&path, &["a.gguf"]);
        }
    }
}

#[test]
fn a_folder_in_half_precision_loads() {
    let config = small_config();
    for dtype in [Dtype::F16, Dtype::BF16] {
        let out = tempfile::tempdir().unwrap();
        save_hf(out.path(), &random_params(&config, 3), dtype, &Silent).unwrap();
        assert_eq!(Gpt2::load(out.path(), Cpu::new(1), &Silent).unwrap().dtype(), dtype);
    }
}
