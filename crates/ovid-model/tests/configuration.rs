//! Configurations: the released sizes, every field of `GPT2Config` honoured or refused by its name, and errors that name file and field.

use ovid_io::Dtype;
use ovid_model::{Activation, Config, Error};
use serde_json::{Value, json};
use std::path::Path;

const PATH: &str = "some/config.json";

fn read(text: &str) -> Result<Config, Error> {
    Config::from_json(text.as_bytes(), Path::new(PATH))
}

/// The configuration file of a small GPT-2 as transformers writes it, with a field changed.
fn with(key: &str, value: Value) -> String {
    let mut fields = json!({
        "activation_function": "gelu_new", "add_cross_attention": false, "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
        "bos_token_id": 96, "dtype": "float32", "embd_pdrop": 0.1, "eos_token_id": 96, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_embd": 20, "n_head": 2, "n_inner": null, "n_layer": 2, "n_positions": 33,
        "pad_token_id": null, "reorder_and_upcast_attn": false, "resid_pdrop": 0.1, "scale_attn_by_inverse_layer_idx": false,
        "scale_attn_weights": true, "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
        "summary_type": "cls_index", "summary_use_proj": true, "tie_word_embeddings": true, "transformers_version": "5.23.0",
        "use_cache": true, "vocab_size": 97
    });
    if !key.is_empty() {
        fields[key] = value;
    }
    fields.to_string()
}

#[test]
fn presets_have_the_released_sizes() {
    for (name, n_params) in [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)] {
        assert_eq!(Config::preset(name).unwrap().n_params(), n_params, "{name}");
    }
    assert_eq!(Config::preset("gpt2-huge"), None);
}

#[test]
fn every_field_that_changes_the_model_is_honoured() {
    let plain = read(&with("", Value::Null)).unwrap();
    assert_eq!(plain, Config { bos_token_id: Some(96), eos_token_id: Some(96), ..Config::new(97, 33, 20, 2, 2) });
    let check = |key: &str, value: Value, want: Config| assert_eq!(read(&with(key, value)).unwrap(), want, "{key}");
    let base = || plain.clone();
    check("vocab_size", json!(5), Config { vocab_size: 5, ..base() });
    check("n_positions", json!(7), Config { n_ctx: 7, ..base() });
    check("n_embd", json!(40), Config { n_embd: 40, n_inner: 160, ..base() });
    check("n_layer", json!(9), Config { n_layer: 9, ..base() });
    check("n_head", json!(4), Config { n_head: 4, ..base() });
    check("n_inner", json!(11), Config { n_inner: 11, ..base() });
    check("layer_norm_epsilon", json!(0.5), Config { layer_norm_epsilon: 0.5, ..base() });
    check("initializer_range", json!(0.5), Config { initializer_range: 0.5, ..base() });
    check("embd_pdrop", json!(0), Config { embd_pdrop: 0.0, ..base() });
    check("attn_pdrop", json!(0.25), Config { attn_pdrop: 0.25, ..base() });
    check("resid_pdrop", json!(0.5), Config { resid_pdrop: 0.5, ..base() });
    check("tie_word_embeddings", json!(false), Config { tie_word_embeddings: false, ..base() });
    check("scale_attn_weights", json!(false), Config { scale_attn_weights: false, ..base() });
    check("scale_attn_by_inverse_layer_idx", json!(true), Config { scale_attn_by_inverse_layer_idx: true, ..base() });
    check("bos_token_id", Value::Null, Config { bos_token_id: None, ..base() });
    check("eos_token_id", json!(3), Config { eos_token_id: Some(3), ..base() });
    check("bias", json!(false), Config { bias: false, ..base() });
    for (names, activation) in [
        (&["gelu_new", "gelu_pytorch_tanh", "gelu_fast"][..], Activation::GeluNew),
        (&["gelu", "gelu_python"], Activation::Gelu),
        (&["relu"], Activation::Relu),
        (&["silu", "swish"], Activation::Silu),
        (&["tanh"], Activation::Tanh),
    ] {
        for name in names {
            check("activation_function", json!(name), Config { activation, ..base() });
        }
    }
    // Old files have the context under its old name alone.
    let old = r#"{"vocab_size": 97, "n_ctx": 33, "n_embd": 20, "n_layer": 2, "n_head": 2}"#;
    assert_eq!(read(old).unwrap(), Config::new(97, 33, 20, 2, 2));
}

#[test]
fn fields_that_change_no_logit_are_let_pass() {
    let plain = read(&with("", Value::Null)).unwrap();
    for (key, value) in [
        ("reorder_and_upcast_attn", json!(true)),
        ("use_cache", json!(false)),
        ("summary_type", json!("last")),
        ("summary_first_dropout", json!(0.5)),
        ("pad_token_id", json!(3)),
        ("dtype", json!("bfloat16")),
        ("_name_or_path", json!("x")),
        ("task_specific_params", json!({"text-generation": {"max_length": 50}})),
        ("pruned_heads", json!({})),
        ("quantization_config", Value::Null),
    ] {
        assert_eq!(read(&with(key, value)).unwrap(), plain, "{key}");
    }
}

#[test]
fn what_is_refused_is_refused_by_file_and_field() {
    let refuse = |key: &str, value: Value| match read(&with(key, value.clone())) {
        Err(Error::Config { path, key: named, cause }) => {
            assert_eq!((path, named.as_str()), (PATH.into(), key), "{value}: {cause}");
            assert!(!cause.is_empty() && !cause.ends_with('.') && cause.len() < 300, "{cause}");
        }
        other => panic!("{key} = {value}: {other:?}"),
    };
    for key in ["vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"] {
        for value in
            [json!(0), json!(-1), json!(1.5), json!("12"), json!([12]), json!(1u64 << 25), json!(u64::MAX), json!(1e300), json!(true)]
        {
            refuse(key, value);
        }
        if key != "n_inner" {
            refuse(key, Value::Null);
        }
    }
    refuse("n_layer", json!(5000));
    refuse("n_head", json!(3));
    for key in ["layer_norm_epsilon", "embd_pdrop", "attn_pdrop", "resid_pdrop", "initializer_range"] {
        for value in [json!(-0.1), json!("0.1"), json!(1e300), json!([])] {
            refuse(key, value);
        }
    }
    refuse("embd_pdrop", json!(1.0));
    for key in ["tie_word_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "bias", "add_cross_attention"] {
        refuse(key, json!(1));
        refuse(key, json!("true"));
    }
    for key in ["bos_token_id", "eos_token_id"] {
        for value in [json!(-1), json!(1u64 << 32), json!("a"), json!([1, 2]), json!(0.5)] {
            refuse(key, value);
        }
    }
    refuse("activation_function", json!("quick_gelu"));
    refuse("activation_function", json!(1));
    refuse("model_type", json!("gptj"));
    refuse("model_type", json!(1));
    refuse("add_cross_attention", json!(true));
    refuse("is_encoder_decoder", json!(true));
    refuse("quantization_config", json!({"quant_method": "gptq"}));
    refuse("pruned_heads", json!({"0": [1]}));
}

#[test]
fn what_is_no_object_of_fields_is_refused_with_the_file_and_the_place() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20));
    for text in ["", "{", "[]", "null", "{\"vocab_size\": NaN}", "{\"a\": 1} x", &"[".repeat(100_000), &long] {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(PATH) && message.len() < 300, "{message}");
    }
    assert!(Config::from_json(b"\xff\xfe{}", Path::new(PATH)).is_err());
    let missing = Config::from_hf(Path::new("no/such/config.json")).unwrap_err().to_string();
    assert!(missing.contains("no/such/config.json"), "{missing}");
}

#[test]
fn what_is_written_reads_back() {
    let odd = Config {
        n_inner: 7,
        activation: Activation::Silu,
        layer_norm_epsilon: 1e-3,
        bias: false,
        tie_word_embeddings: false,
        scale_attn_weights: false,
        scale_attn_by_inverse_layer_idx: true,
        embd_pdrop: 0.0,
        attn_pdrop: 0.3,
        resid_pdrop: 0.2,
        initializer_range: 0.1,
        bos_token_id: None,
        eos_token_id: Some(5),
        ..Config::new(11, 3, 6, 2, 3)
    };
    let edge = Config { embd_pdrop: 0.999, layer_norm_epsilon: 1.0, initializer_range: 1e3, ..Config::new(5, 4, 2, 1, 1) };
    for config in [odd, edge, Config::preset("gpt2").unwrap(), Config { activation: Activation::Gelu, ..Config::new(5, 4, 2, 1, 1) }] {
        assert_eq!(read(&config.to_json(Dtype::F32)).unwrap(), config);
    }
}
