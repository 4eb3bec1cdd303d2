//! Paragraphs that stand in an earlier document. (Whole documents that are nearly the same are found by `ovid_corpus::near`.)

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

/// Paragraphs seen so far, over all documents.
#[derive(Debug, Default)]
pub struct Paragraphs {
    seen: HashSet<u64>,
}

impl Paragraphs {
    /// `text` without the paragraphs of `min_bytes` or more that an earlier document (or this one) has, and the bytes taken out.
    pub fn without_repeated(&mut self, text: &str, min_bytes: usize) -> (String, usize) {
        let mut out = String::with_capacity(text.len());
        let mut removed = 0;
        for paragraph in text.split("\n\n") {
            if paragraph.len() >= min_bytes && !self.seen.insert(xxh3_64(paragraph.as_bytes())) {
                removed += paragraph.len();
                continue;
            }
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(paragraph);
        }
        (out, removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_stands_once() {
        let mut seen = Paragraphs::default();
        assert_eq!(seen.without_repeated("a longer paragraph\n\nshort", 10), ("a longer paragraph\n\nshort".to_owned(), 0));
        assert_eq!(seen.without_repeated("new text here\n\na longer paragraph\n\nshort", 10), ("new text here\n\nshort".to_owned(), 18));
    }
}
