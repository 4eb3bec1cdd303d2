//! llama.cpp's test vectors for GPT-2's vocabulary (`ggml-vocab-gpt-2.gguf.inp` and `.out`).

use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;

fn shared() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tokenizer");
    if !dir.is_dir() {
        println!("skipped: no ../shared");
        return None;
    }
    Some(dir)
}

#[test]
fn all_vectors_of_llama_cpp() {
    let Some(dir) = shared() else { return };
    let tokenizer = Tokenizer::load(&dir).unwrap();
    let texts = std::fs::read_to_string(dir.join("ggml-vocab-gpt-2.gguf.inp")).unwrap();
    let ids = std::fs::read_to_string(dir.join("ggml-vocab-gpt-2.gguf.out")).unwrap();
    let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
    // The last text is closed by a separator too.
    let texts = texts.strip_suffix(&[""]).unwrap_or(&texts);
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!((texts.len(), ids.len()), (46, 46));
    for (text, ids) in texts.iter().zip(ids) {
        let expected: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(tokenizer.encode(text.as_bytes()), expected, "{text:?}");
        assert_eq!(tokenizer.decode(&expected).unwrap(), text.as_bytes());
    }
}
