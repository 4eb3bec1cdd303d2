//! Writing the files that transformers and tokenizers load.

use std::io::Write as _;
use std::path::Path;

use ovid_io::atomic::write_atomic;
use serde::{Serialize, Serializer};

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
        let merges = self.merge_lines(&alphabet);
        let spellings = self.spellings(&alphabet);
        let vocab = Ordered(spellings.iter().zip(0..).collect());
        let end = self.end_of_text().and_then(|id| self.added_tokens().iter().find(|a| a.id == id)).map(|a| a.text.as_str());
        let roles = Roles { bos_token: end, eos_token: end, unk_token: end };
        let tokens: Vec<Added<'_>> = self.added_tokens().iter().map(Added::from).collect();

        put(&dir.join("vocab.json"), &json(&vocab))?;
        put(&dir.join("merges.txt"), &format!("#version: 0.2\n{}\n", merges.join("\n")))?;
        let config = Config {
            tokenizer_class: "GPT2Tokenizer",
            add_prefix_space: false,
            clean_up_tokenization_spaces: false,
            roles: &roles,
            added_tokens_decoder: Ordered(
                tokens.iter().map(|token| (token.id.unwrap_or_default().to_string(), Added { id: None, ..*token })).collect(),
            ),
        };
        put(&dir.join("tokenizer_config.json"), &pretty(&config))?;
        let named = if end.is_some() { pretty(&roles) } else { "{}\n".to_owned() };
        put(&dir.join("special_tokens_map.json"), &named)?;
        let model = Model {
            kind: "BPE",
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: "",
            end_of_word_suffix: "",
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab,
            merges: &merges,
        };
        let part = ByteLevel { kind: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
        let whole = Whole {
            version: "1.0",
            truncation: None,
            padding: None,
            added_tokens: &tokens,
            normalizer: None,
            pre_tokenizer: &part,
            post_processor: &part,
            decoder: &part,
            model,
        };
        // Last: readers take this file where it is there.
        put(&dir.join("tokenizer.json"), &json(&whole))
    }
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    Ok(write_atomic(path, |out| out.write_all(text.as_bytes()))?)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and truth values are JSON") + "\n"
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("strings, numbers and truth values are JSON") + "\n"
}

/// A JSON object whose keys stay in this order.
struct Ordered<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Ordered<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Null stands for GPT-2's default, `<|endoftext|>`, which a vocabulary without it must not get.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the format's names")]
struct Roles<'a> {
    bos_token: Option<&'a str>,
    eos_token: Option<&'a str>,
    unk_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Config<'a> {
    tokenizer_class: &'a str,
    add_prefix_space: bool,
    clean_up_tokenization_spaces: bool,
    #[serde(flatten)]
    roles: &'a Roles<'a>,
    added_tokens_decoder: Ordered<String, Added<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the format has these flags")]
struct Added<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl<'a> From<&'a AddedToken> for Added<'a> {
    fn from(token: &'a AddedToken) -> Self {
        let AddedToken { id, text, special } = token;
        Self { id: Some(*id), content: text, single_word: false, lstrip: false, rstrip: false, normalized: !special, special: *special }
    }
}

#[derive(Serialize)]
struct ByteLevel<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    add_prefix_space: bool,
    trim_offsets: bool,
    use_regex: bool,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    dropout: Option<f32>,
    unk_token: Option<&'a str>,
    continuing_subword_prefix: &'a str,
    end_of_word_suffix: &'a str,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Ordered<&'a String, u32>,
    merges: &'a [String],
}

#[derive(Serialize)]
struct Whole<'a> {
    version: &'a str,
    truncation: Option<()>,
    padding: Option<()>,
    added_tokens: &'a [Added<'a>],
    normalizer: Option<()>,
    pre_tokenizer: &'a ByteLevel<'a>,
    post_processor: &'a ByteLevel<'a>,
    decoder: &'a ByteLevel<'a>,
    model: Model<'a>,
}
