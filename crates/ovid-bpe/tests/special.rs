//! Special tokens by policy, and tokens that were added without being special.

use std::fs;

use ovid_bpe::{SpecialPolicy, Tokenizer};
use ovid_io::Silent;

/// The 256 bytes, `<|endoftext|>` (256), and two tokens of a user's own: `<note>` (257, matched always) and `<note>!` (258, special).
fn tokenizer() -> Tokenizer {
    let dir = tempfile::tempdir().unwrap();
    ovid_bpe::train(std::iter::empty::<&str>(), 257, 1, &Silent).unwrap().save_hf(dir.path()).unwrap();
    let path = dir.path().join("tokenizer.json");
    let mut file: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let added = file["added_tokens"].as_array_mut().unwrap();
    added.push(serde_json::json!({ "id": 257, "content": "<note>", "special": false }));
    added.push(serde_json::json!({ "id": 258, "content": "<note>!", "special": true }));
    fs::write(&path, file.to_string()).unwrap();
    Tokenizer::load(&path).unwrap()
}

fn check(text: &str, policy: SpecialPolicy, expected: &[&str]) {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode_with(text.as_bytes(), policy).unwrap();
    // Single bytes are run together, so that only the added tokens stand apart.
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for id in ids {
        let text = std::str::from_utf8(tokenizer.token_bytes(id).unwrap()).unwrap();
        if id < 256 && open {
            found.last_mut().unwrap().push_str(text);
        } else {
            found.push(text.to_owned());
        }
        open = id < 256;
    }
    assert_eq!(found, expected, "{text:?} {policy:?}");
}

#[test]
fn policies() {
    use SpecialPolicy::{Allow, Refuse, Text};
    check("a<|endoftext|>b", Text, &["a<|endoftext|>b"]);
    check("a<|endoftext|>b", Allow, &["a", "<|endoftext|>", "b"]);
    check("<|endoftext|><|endoftext|>", Allow, &["<|endoftext|>", "<|endoftext|>"]);
    check("<|endoftext|", Allow, &["<|endoftext|"]);
    check("<|<|endoftext|>|>", Allow, &["<|", "<|endoftext|>", "|>"]);
    check("nothing here", Refuse, &["nothing here"]);
    check("", Allow, &[]);
    // Not special: matched whatever the policy.
    check("x<note>y", Text, &["x", "<note>", "y"]);
    check("x<note>y", Refuse, &["x", "<note>", "y"]);
    // Of two that begin together the longer one.
    check("<note>!<note>", Allow, &["<note>!", "<note>"]);
    check("<note>!", Text, &["<note>", "!"]);
}

#[test]
fn refusing_says_what_and_where() {
    let error = tokenizer().encode_with("é<|endoftext|>".as_bytes(), SpecialPolicy::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "the text holds the special token '<|endoftext|>' at byte 2");
}

#[test]
fn batches_match_added_tokens_too() {
    let tokenizer = tokenizer();
    let text = "word ".repeat(100_000) + "<note>";
    assert_eq!(tokenizer.encode_batch(&[text.as_bytes()], 2), [tokenizer.encode(text.as_bytes())]);
}

#[test]
fn added_tokens_survive_being_written() {
    let tokenizer = tokenizer();
    let dir = tempfile::tempdir().unwrap();
    tokenizer.save_hf(dir.path()).unwrap();
    let again = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(again.added_tokens(), tokenizer.added_tokens());
    assert_eq!(again.end_of_text(), Some(256));
}
