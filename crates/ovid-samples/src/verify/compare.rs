//! Where a published sample and the one made again part ways.

use ovid_bpe::Tokenizer;
use ovid_generate::{Completion, Generation};
use serde::{Deserialize, Serialize};

/// A sample that is not what the model makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The file.
    pub file: String,
    /// The sample in it, from 1.
    pub sample: u64,
    /// Its seed.
    pub seed: u64,
    /// What differs first: `ids`, `text`, `finish_reason`, `window`, `logprobs` or `score`.
    pub field: String,
    /// The first token (of `ids`, `logprobs`) or byte (of `text`) that differs, from 0.
    pub at: Option<usize>,
    /// What was published there.
    pub published: String,
    /// What the model makes there.
    pub made: String,
}

/// The first thing in which two samples differ; nothing where they are the same to the bit.
pub(super) fn first_difference(published: &Generation, made: &Completion, tokenizer: &Tokenizer) -> Option<Difference> {
    let differ = |field: &str, at: Option<usize>, published: String, made: String| {
        Some(Difference { file: String::new(), sample: 0, seed: 0, field: field.to_owned(), at, published, made })
    };
    let (p, m) = (published, made);
    if let Some(at) = parting(&p.ids, &m.ids) {
        let shown = |ids: &[u32]| ids.get(at).map_or("nothing".to_owned(), |&id| token(id, tokenizer));
        return differ("ids", Some(at), shown(&p.ids), shown(&m.ids));
    }
    if let Some(at) = parting(p.text.as_bytes(), m.text.as_bytes()) {
        return differ("text", Some(at), excerpt(&p.text, at), excerpt(&m.text, at));
    }
    if p.finish_reason != m.finish_reason {
        return differ("finish_reason", None, format!("{:?}", p.finish_reason), format!("{:?}", m.finish_reason));
    }
    if p.window != m.window {
        return differ("window", None, format!("{:?}", p.window), format!("{:?}", m.window));
    }
    // To the bit: 0.0 and -0.0 are not the same, and a number that is none is the same as itself.
    if p.score.map(f32::to_bits) != m.score.map(f32::to_bits) {
        return differ("score", None, format!("{:?}", p.score), format!("{:?}", m.score));
    }
    let bits = |l: &ovid_generate::TokenLogprob| (l.logprob.to_bits(), l.top.iter().map(|t| (t.0, t.1.to_bits())).collect::<Vec<_>>());
    let all = |l: &Option<Vec<_>>| l.iter().flatten().map(bits).collect::<Vec<_>>();
    if let Some(at) = parting(&all(&p.logprobs), &all(&m.logprobs)) {
        let shown = |l: &Option<Vec<_>>| format!("{:?}", l.as_ref().and_then(|l| l.get(at)));
        return differ("logprobs", Some(at), shown(&p.logprobs), shown(&m.logprobs));
    }
    None
}

/// The first index at which two lists differ.
fn parting<T: PartialEq>(a: &[T], b: &[T]) -> Option<usize> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (same < a.len().max(b.len())).then_some(same)
}

fn token(id: u32, tokenizer: &Tokenizer) -> String {
    let text = tokenizer.token_bytes(id).map_or("no token".into(), String::from_utf8_lossy);
    format!("{id} ({text:?})")
}

/// Some characters from a byte on.
fn excerpt(text: &str, at: usize) -> String {
    let start = text.floor_char_boundary(at);
    format!("{:?}", text[start..].chars().take(20).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_part_where_they_part() {
        for (a, b, at) in [("abc", "abc", None), ("abc", "abd", Some(2)), ("ab", "abc", Some(2)), ("", "a", Some(0)), ("", "", None)] {
            assert_eq!(parting(a.as_bytes(), b.as_bytes()), at);
        }
        assert_eq!(excerpt("aé!", 2), "\"é!\"");
    }
}
