//! Paragraphs: hard wraps joined, headings and lists told from prose, prose told from noise.

use super::characters::tidy;

/// The function words that running English is full of; tables, lists, code and other languages are not.
const FUNCTION_WORDS: &[&str] = &[
    "the", "of", "and", "a", "to", "in", "is", "was", "it", "he", "for", "that", "on", "as", "with", "his", "by", "at", "from", "are",
    "be", "this", "her", "she", "i", "you", "had", "not", "but", "or", "an", "they", "which", "were", "have", "their", "has", "who", "him",
    "been", "its", "we", "my", "me", "one", "all", "so", "there", "would", "if", "when", "what", "will", "no", "your", "them", "can", "do",
    "out", "up", "into", "than", "then", "some", "could", "after", "about", "our", "more", "very", "did", "also", "how", "any", "may",
    "these", "those", "such", "other", "said", "us", "should", "must", "only", "over", "now", "where", "while", "because", "through",
    "before", "between", "both", "most", "upon", "own", "under", "does", "it's", "don't", "i'm",
];

/// How a stretch of text is made up, in shares of its words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Make {
    /// Words in all.
    pub n_words: usize,
    /// Share of function words.
    pub function_ratio: f64,
    /// Share of words that hold a digit.
    pub digit_ratio: f64,
    /// Share of words that begin with a capital though they begin no sentence.
    pub name_ratio: f64,
}

/// Counts what `text` is made of.
pub fn make_of(text: &str) -> Make {
    let (mut n, mut function, mut digits, mut names, mut begins) = (0usize, 0usize, 0usize, 0usize, true);
    let mut lower = String::new();
    for raw in text.split_ascii_whitespace() {
        let word = raw.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            n += 1;
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            if FUNCTION_WORDS.contains(&lower.as_str()) {
                function += 1;
            } else if !begins && word.starts_with(char::is_uppercase) {
                names += 1;
            }
            digits += usize::from(word.bytes().any(|b| b.is_ascii_digit()));
        }
        begins = ends_sentence(raw);
    }
    let share = |k: usize| k as f64 / n.max(1) as f64;
    Make { n_words: n, function_ratio: share(function), digit_ratio: share(digits), name_ratio: share(names) }
}

/// True where `text` ends as a sentence does.
pub fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', ')', ']', '*', '_']).ends_with(['.', '!', '?', ':', '…', ';'])
}

/// True where a paragraph reads as English prose, not as a table, a list of names, code or another language. Short ones pass.
pub fn is_prose(paragraph: &str) -> bool {
    let make = make_of(paragraph);
    make.n_words < 12 || (make.function_ratio >= 0.18 && make.digit_ratio <= 0.25 && make.name_ratio <= 0.45)
}

/// The item behind a bullet or a number (`- x`, `* x`, `3. x`), if the line is one.
pub fn item_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    for bullet in ["* ", "- ", "+ ", "– ", "o "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return Some(("-", rest.trim()));
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..)?;
    let rest = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
    (1..=2).contains(&digits).then(|| (&line[..=digits], rest.trim()))
}

/// The paragraphs of `text`: blocks between blank lines, hard wraps inside a block joined, list items on lines of their own inside one block.
pub fn paragraphs(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for block in text.split("\n\n") {
        unwrap_block(block, &mut out);
    }
    join_broken(out)
}

/// A line this long without a full stop was wrapped, not ended.
const WRAPPED: usize = 55;

fn unwrap_block(block: &str, out: &mut Vec<String>) {
    let mut current = String::new();
    let mut in_list = false;
    let mut last_len = 0;
    for line in block.lines() {
        let trimmed = line.trim();
        // A bullet whose link was stripped.
        if trimmed.is_empty() || matches!(trimmed, "*" | "-" | "+" | "o" | "–") {
            continue;
        }
        if let Some((mark, item)) = item_of(trimmed) {
            let item = tidy(item);
            if item.len() > 1 {
                if !in_list && !current.is_empty() {
                    out.push(std::mem::take(&mut current));
                }
                if in_list {
                    current.push('\n');
                }
                current.push_str(mark);
                current.push(' ');
                current.push_str(&item);
                in_list = true;
            }
        } else if !current.is_empty() && (in_list && line.starts_with(' ') || continues(&current, last_len, trimmed)) {
            current.push(' ');
            current.push_str(&tidy(trimmed));
        } else {
            if !current.is_empty() {
                out.push(std::mem::take(&mut current));
            }
            current = tidy(trimmed);
            in_list = false;
        }
        last_len = line.len();
    }
    if !current.is_empty() {
        out.push(current);
    }
}

/// Whether `next` goes on with the line that `current` ends with.
fn continues(current: &str, last_len: usize, next: &str) -> bool {
    if next.starts_with(char::is_lowercase) && !current.ends_with(['.', '!', '?']) {
        return true;
    }
    // Lines of equal width are wrapped text, wherever their sentences end.
    (WRAPPED..=100).contains(&last_len) && (!ends_sentence(current) || last_len >= 68)
}

/// Joins a paragraph that breaks off in the middle of a sentence with the next where that begins in lower case.
fn join_broken(blocks: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(blocks.len());
    for block in blocks {
        match out.last_mut() {
            Some(last)
                if !ends_sentence(last)
                    && block.starts_with(char::is_lowercase)
                    && item_of(&block).is_none()
                    && item_of(last).is_none() =>
            {
                last.push(' ');
                last.push_str(&block);
            }
            _ if block.is_empty() => {}
            _ => out.push(block),
        }
    }
    out
}

/// A short line that ends no sentence: a heading, a caption, a line of a list of contents.
pub fn is_stub(paragraph: &str) -> bool {
    paragraph.len() < 70 && !paragraph.ends_with(['.', '!', '?', '"', '\'', ',', ';', ':', ')', '—'])
}

/// Drops runs of `n` or more stubs in a row: contents, indexes, captions.
pub fn drop_stub_runs(paragraphs: Vec<String>, n: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(paragraphs.len());
    let mut run = 0;
    for paragraph in paragraphs {
        if is_stub(&paragraph) {
            run += 1;
        } else {
            close_run(&mut out, run, n);
            run = 0;
        }
        out.push(paragraph);
    }
    close_run(&mut out, run, n);
    out
}

fn close_run(out: &mut Vec<String>, run: usize, n: usize) {
    if run >= n {
        out.truncate(out.len() - run);
    }
}

/// Drops headings that nothing follows, and introductions (`… are:`) whose list was stripped.
pub fn drop_empty_headings(paragraphs: Vec<String>, is_heading: impl Fn(&str) -> bool) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(paragraphs.len());
    // Backwards, so that a heading above a dropped heading goes as well. A heading directly above another stays out too.
    let mut next_is_text = false;
    let mut next_is_list = false;
    for (n, paragraph) in paragraphs.into_iter().enumerate().rev() {
        if is_heading(&paragraph) {
            // The first is the title.
            if next_is_text || (n == 0 && !kept.is_empty()) {
                kept.push(paragraph);
            }
            next_is_text = false;
            next_is_list = false;
        } else if paragraph.ends_with(':') && !next_is_list {
            // Introduces what is no longer there.
        } else {
            next_is_list = item_of(&paragraph).is_some() || paragraph.starts_with('"');
            next_is_text = true;
            kept.push(paragraph);
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_wraps_are_joined_and_paragraphs_kept() {
        let text = "The key elements of asynchronous programming in Rust are futures and Rust's\nasync and await keywords.\n\nAn American botanist\n\nand horticulturist.\n\n* one\n* two\n  more";
        assert_eq!(
            paragraphs(text),
            [
                "The key elements of asynchronous programming in Rust are futures and Rust's async and await keywords.",
                "An American botanist and horticulturist.",
                "- one\n- two more"
            ]
        );
    }

    #[test]
    fn headings_without_text_go() {
        let blocks =
            ["History", "It was built in 1900.", "Members", "The members are:", "Causes", "It lobbies."].map(str::to_owned).to_vec();
        assert_eq!(drop_empty_headings(blocks, is_stub), ["History", "It was built in 1900.", "Causes", "It lobbies."]);
    }

    #[test]
    fn prose_is_told_from_tables() {
        assert!(is_prose("It was the best of times, it was the worst of times, it was the age of wisdom."));
        assert!(!is_prose("1. FC Köln 34 18 7 9 62 41 61 Bayern München 34 22 8 4 80 30 74 Schalke"));
        assert!(!is_prose("Der Hund lief schnell durch den Wald und fand einen alten Knochen unter dem Baum"));
    }
}
