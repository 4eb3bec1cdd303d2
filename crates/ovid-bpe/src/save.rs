//! Writing the files that transformers and tokenizers load.

use std::io::Write as _;
use std::path::Path;

use ovid_io::atomic::write_atomic;
use serde_json::{Map, Value, json};

use crate::alphabet::characters;
use crate::special::AddedToken;
use crate::{Error, Tokenizer};

impl Tokenizer {
    /// Writes `vocab.json`, `merges.txt`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into a folder, which is made where it is missing.
    ///
    /// # Errors
    /// If the system cannot write; each file is the old one or the new one, whole.
    pub fn save_hf(&self, dir: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(dir).map_err(|cause| ovid_io::Error::io(dir, "create", cause))?;
        let alphabet = characters();
        let merges: Vec<String> = self.merge_lines(&alphabet);
        let vocab: Vec<String> = self.spellings(&alphabet);
        let put = |name: &str, text: String| write_atomic(&dir.join(name), |out| out.write_all(text.as_bytes()));
        put("vocab.json", vocab_object(&vocab))?;
        put("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n")))?;
        put("tokenizer.json", self.tokenizer_json(&vocab, &merges))?;
        let named = self.end_of_text().and_then(|id| self.added_tokens().iter().find(|a| a.id == id)).map(|a| a.text.clone());
        let roles = ["bos_token", "eos_token", "unk_token"];
        let map: Map<String, Value> = roles.iter().filter_map(|role| Some(((*role).to_owned(), json!(named.as_ref()?)))).collect();
        put("special_tokens_map.json", pretty(&Value::Object(map)))?;
        let mut config = json!({ "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": false, "clean_up_tokenization_spaces": false });
        for role in roles {
            config[role] = json!(named);
        }
        config["added_tokens_decoder"] = self.added_tokens().iter().map(|a| (a.id.to_string(), flags(a))).collect::<Map<_, _>>().into();
        put("tokenizer_config.json", pretty(&config))?;
        Ok(())
    }

    fn tokenizer_json(&self, vocab: &[String], merges: &[String]) -> String {
        let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        let added: Vec<Value> = self
            .added_tokens()
            .iter()
            .map(|a| {
                let mut token = flags(a);
                token["id"] = json!(a.id);
                token
            })
            .collect();
        let rest = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": byte_level,
            "post_processor": byte_level,
            "decoder": byte_level,
        });
        let merges = Value::from(merges.to_vec());
        // The vocabulary is put in by hand: it is kept in the order of ids, which a map sorted by key would lose.
        let model = format!(
            r#"{{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{},"merges":{merges}}}"#,
            vocab_object(vocab)
        );
        let rest = rest.to_string();
        format!("{},\"model\":{model}}}\n", &rest[..rest.len() - 1])
    }
}

fn flags(token: &AddedToken) -> Value {
    json!({ "content": token.text, "lstrip": false, "normalized": !token.special, "rstrip": false, "single_word": false, "special": token.special })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// `{"token": id, …}` in the order of ids.
fn vocab_object(vocab: &[String]) -> String {
    let entries: Vec<String> = vocab.iter().enumerate().map(|(id, token)| format!("{}:{id}", Value::from(token.as_str()))).collect();
    format!("{{{}}}", entries.join(","))
}
