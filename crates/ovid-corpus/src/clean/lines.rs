//! Lines that stand in the same document before: menus, footers and share buttons that pages repeat.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::Document;

/// Which repeated lines are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatedLinesRule {
    /// A shorter line may stand as often as it likes: "Yes." of a dialogue, a refrain.
    pub min_bytes: usize,
}

impl Default for RepeatedLinesRule {
    fn default() -> Self {
        Self { min_bytes: 30 }
    }
}

impl RepeatedLinesRule {
    pub(super) fn judge(self, document: &mut Document) {
        if let Some((text, n_lines)) = self.without_repeated(&document.text) {
            document.text = text;
            document.touch("repeated-lines", format!("{n_lines} lines removed"));
        }
    }

    /// The text without lines that stand in it before, and how many those were; `None` where there are none. White space around a line does not tell it from another.
    pub fn without_repeated(self, text: &str) -> Option<(String, usize)> {
        let mut seen = HashSet::with_hasher(crate::hash::AsItIs::default());
        let mut is_repeated = |line: &str| {
            let line = line.trim();
            line.len() >= self.min_bytes && !seen.insert(xxh3_64(line.as_bytes()))
        };
        let (mut out, mut n_lines, mut copied) = (String::new(), 0, 0);
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if is_repeated(line) {
                out.push_str(&text[copied..at]);
                copied = at + line.len();
                n_lines += 1;
                // The blank line that set the repeated one off goes with it.
                let followed_by_blank = text[copied..].starts_with('\n') || copied == text.len();
                if followed_by_blank && out.ends_with("\n\n") {
                    out.pop();
                }
            }
            at += line.len();
        }
        out.push_str(&text[copied..]);
        (n_lines > 0).then_some((out, n_lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_stands_once() {
        let rule = RepeatedLinesRule { min_bytes: 5 };
        let check = |text: &str, expected: Option<(&str, usize)>| {
            assert_eq!(rule.without_repeated(text), expected.map(|(text, n)| (text.to_owned(), n)), "{text:?}");
        };
        check("share this\ntext\nshare this\n", Some(("share this\ntext\n", 1)));
        check("share this\n\ntext\n\n  share this\n\nmore\n", Some(("share this\n\ntext\n\nmore\n", 1)));
        check("share this\n\nshare this", Some(("share this\n", 1)));
        check("no\nno\nno\n", None);
        check("", None);
        check("one line\nanother line\n", None);
    }
}
