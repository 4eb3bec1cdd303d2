//! Prompts: the beginnings of held-out documents, chosen by nothing but the hash of their names.
//!
//! A style with fewer documents than prompts (books) gives several: a document is entered at paragraphs 700 bytes or more apart, first every document at its beginning,
//! then every document at its second entry, and so on.

use ovid_bpe::Tokenizer;

use crate::mini::prepare::{Document, place_of};

/// Bytes between two entries of a document.
const STRIDE: usize = 700;
/// Bytes from the entry on that stand for the document where words are compared.
const EXTENT: usize = 12_000;

/// A prompt with the human text that goes on from it.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Source and identifier of its document.
    pub name: String,
    /// Byte in the document where it begins.
    pub start: usize,
    /// The prompt's tokens.
    pub ids: Vec<u32>,
    /// The prompt.
    pub text: String,
    /// What the human wrote next: as many tokens as a sample may have, fewer where the document ends.
    pub human: String,
    /// The document from the prompt on, 12 kB at most.
    pub document: String,
}

/// The first `n` prompts of a style from its held-out `documents`.
pub fn prompts(documents: &[Document], n: usize, prompt_tokens: usize, new_tokens: usize, tokenizer: &Tokenizer) -> Vec<Prompt> {
    let mut entries: Vec<(usize, u64, usize, &Document)> = Vec::new();
    for document in documents {
        let place = place_of(&document.source, &document.id);
        for (round, start) in starts(&document.text).into_iter().enumerate() {
            entries.push((round, place, start, document));
        }
    }
    entries.sort_by_key(|&(round, place, start, _)| (round, place, start));
    entries.iter().filter_map(|&(_, _, start, document)| prompt(document, start, prompt_tokens, new_tokens, tokenizer)).take(n).collect()
}

/// Where `text` is entered: at its beginning, and at the first paragraph 700 bytes or more after the last entry.
fn starts(text: &str) -> Vec<usize> {
    let mut out = vec![0];
    for (at, _) in text.match_indices("\n\n") {
        if at + 2 >= out[out.len() - 1] + STRIDE {
            out.push(at + 2);
        }
    }
    out
}

fn prompt(document: &Document, start: usize, prompt_tokens: usize, new_tokens: usize, tokenizer: &Tokenizer) -> Option<Prompt> {
    let text = &document.text[start..];
    let extent = &text[..text.floor_char_boundary(EXTENT)];
    let ids = tokenizer.encode(extent.as_bytes());
    // At least as much again must follow, or there is nothing to compare with.
    if ids.len() < 2 * prompt_tokens {
        return None;
    }
    let string = |ids: &[u32]| tokenizer.decode(ids).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Some(Prompt {
        name: format!("{} {}", document.source, document.id),
        start,
        text: string(&ids[..prompt_tokens])?,
        human: string(&ids[prompt_tokens..ids.len().min(prompt_tokens + new_tokens)])?,
        ids: ids[..prompt_tokens].to_vec(),
        document: extent.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_entered_at_paragraphs_far_enough_apart() {
        let text = format!("{}\n\n{}\n\n{}\n\nend", "a".repeat(500), "b".repeat(500), "c".repeat(100));
        assert_eq!(starts(&text), [0, 1004]);
    }
}
