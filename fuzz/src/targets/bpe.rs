//! Vocabularies of `ovid-bpe`: what is loaded must encode anything and give it back.

use std::path::Path;

use ovid_bpe::{SpecialPolicy, Tokenizer};
use ovid_io::gguf::{Gguf, GgufWriter, Value};
use ovid_io::{Mapped, Silent};

use crate::{Target, leave};

fn small() -> Tokenizer {
    ovid_bpe::train(["low lower lowest 東京 東京"].iter(), 262, 1, &Silent).expect("262 tokens can be learnt")
}

/// The files that [`small`] is written to.
fn written(names: &[&str]) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("ovid-fuzz-vocabulary-{}", std::process::id()));
    small().save_hf(&folder).expect("a seed can be written to the folder for temporary files");
    let files = names.iter().map(|name| std::fs::read_to_string(folder.join(name)).expect("what was written can be read")).collect();
    std::fs::remove_dir_all(&folder).expect("what was written can be removed");
    files
}

/// A loaded vocabulary must encode anything and give it back.
fn works(tokenizer: &Tokenizer) {
    let text = b"lowest \xe6\x9d\xb1\xe4\xba\xac\xff<|endoftext|>";
    for policy in [SpecialPolicy::Text, SpecialPolicy::Allow] {
        let ids = tokenizer.encode_with(text, policy).expect("these policies refuse nothing");
        assert_eq!(tokenizer.decode(&ids).expect("ids that were given are known"), text);
    }
}

/// Stands between two files in one.
const BETWEEN: &str = "\n----\n";

pub(super) const TOKENIZER_JSON: Target = Target {
    name: "tokenizer-json",
    seeds: || written(&["tokenizer.json"]).into_iter().map(String::into_bytes).collect(),
    parse: |file| {
        let Ok(text) = std::str::from_utf8(file) else { return false };
        Tokenizer::from_tokenizer_json(Path::new("fuzz"), text).inspect(works).is_ok()
    },
    mend: leave,
    words: &[
        "\"merges\":[",
        "\"vocab\":{",
        "\"added_tokens\":[",
        "\"content\":\"",
        "\"id\":",
        "\"special\":false",
        "[\"l\",\"o\"]",
        "null",
        "4294967295",
        "Ġ",
        "\\u0120",
    ],
};

pub(super) const VOCAB_AND_MERGES: Target = Target {
    name: "vocab-and-merges",
    seeds: || vec![written(&["vocab.json", "merges.txt"]).join(BETWEEN).into_bytes()],
    parse: |file| {
        let Some((vocab, merges)) = std::str::from_utf8(file).ok().and_then(|text| text.split_once(BETWEEN)) else { return false };
        Tokenizer::from_vocab_and_merges((Path::new("fuzz"), vocab), (Path::new("fuzz"), merges)).inspect(works).is_ok()
    },
    mend: leave,
    words: &["#version", "l o\n", "Ġ l\n", "\"low\":", "262", "4294967295", "<|endoftext|>", "\r\n", "Ā"],
};

pub(super) const GGUF_VOCABULARY: Target = Target {
    name: "gguf-vocabulary",
    seeds: || {
        let path = std::env::temp_dir().join(format!("ovid-fuzz-gguf-vocabulary-{}", std::process::id()));
        let metadata: Vec<(String, Value)> = small().gguf_metadata();
        GgufWriter::create(&path, &metadata, &[])
            .and_then(GgufWriter::finish)
            .expect("a seed can be written to the folder for temporary files");
        let bytes = std::fs::read(&path).expect("what was written can be read");
        std::fs::remove_file(&path).expect("what was written can be removed");
        vec![bytes]
    },
    parse: |file| {
        let Ok(gguf) = Gguf::new(Mapped::from_vec("fuzz", file.to_vec())) else { return false };
        Tokenizer::from_gguf(&gguf).inspect(works).is_ok()
    },
    mend: leave,
    words: &[
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.eos_token_id",
        "gpt2",
        "gpt-2",
        "l o",
    ],
};
