//! Vocabularies for the comparisons, and the same vocabulary in each of the references.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

use ovid_bpe::{SpecialPolicy, Tokenizer};
use tiktoken_rs::CoreBPE;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

pub const PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

pub fn shared() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !dir.is_dir() {
        println!("skipped: no ../shared");
        return None;
    }
    Some(dir)
}

/// A vocabulary that is there on every machine: learnt from this program's own source.
pub fn small() -> Tokenizer {
    let text = include_str!("../../../ovid-bpe/src/split.rs").repeat(2) + "Größe naïve 東京 привет 🦙🦙 \u{301}" + include_str!("mod.rs");
    ovid_bpe::train([&text, &text].iter(), 900, 2, &ovid_io::Silent).unwrap()
}

/// One vocabulary, three implementations.
pub struct Three {
    pub ours: Tokenizer,
    pub tiktoken: CoreBPE,
    pub hugging_face: tokenizers::Tokenizer,
}

impl Three {
    pub fn new(ours: Tokenizer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        ours.save_hf(dir.path()).unwrap();
        let special: Vec<_> = ours.added_tokens().iter().map(|a| (a.text.clone(), a.id)).collect();
        let ordinary = |id: &u32| special.iter().all(|(_, special)| special != id);
        let ranks = (0..ours.vocab_size() as u32).filter(ordinary).map(|id| (ours.token_bytes(id).unwrap().to_vec(), id)).collect();
        let tiktoken = CoreBPE::new(ranks, special.into_iter().collect(), PATTERN).unwrap();
        let path = |name| dir.path().join(name).to_str().unwrap().to_owned();
        let model = BPE::from_file(&path("vocab.json"), &path("merges.txt")).build().unwrap();
        let mut hugging_face = tokenizers::Tokenizer::new(model);
        hugging_face.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        Self { ours, tiktoken, hugging_face }
    }

    /// The small vocabulary, and GPT-2's where it is at hand.
    pub fn all() -> Vec<Self> {
        let gpt2 = shared().map(|dir| Tokenizer::load(&dir.join("tokenizer")).unwrap());
        std::iter::once(small()).chain(gpt2).map(Self::new).collect()
    }

    /// Holds our ids against both; `None` where they agree.
    pub fn difference(&self, text: &str) -> Option<String> {
        let ours = self.ours.encode(text.as_bytes());
        let tiktoken = self.tiktoken.encode_ordinary(text);
        if ours != tiktoken {
            return Some(format!("tiktoken: {}", first_difference(&ours, &tiktoken)));
        }
        let theirs = self.hugging_face.encode_fast(text, false).unwrap();
        if ours != theirs.get_ids() {
            return Some(format!("tokenizers: {}", first_difference(&ours, theirs.get_ids())));
        }
        let encoding = self.ours.encode_offsets(text.as_bytes(), SpecialPolicy::Text).unwrap();
        let cut =
            encoding.offsets.iter().zip(&encoding.ids).all(|(&(a, b), &id)| &text.as_bytes()[a..b] == self.ours.token_bytes(id).unwrap());
        (!cut || self.ours.decode(&ours).unwrap() != text.as_bytes()).then(|| "does not come back".into())
    }
}

fn first_difference(ours: &[u32], theirs: &[u32]) -> String {
    let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let show = |ids: &[u32]| format!("{:?}", &ids[at.saturating_sub(2)..(at + 6).min(ids.len())]);
    format!("token {at}: ours {} theirs {}", show(ours), show(theirs))
}
