//! The Rust book and the Python enhancement proposals: the prose between the code.

use super::blocks::{drop_empty_headings, drop_stub_runs, ends_sentence, is_prose, is_stub, item_of, paragraphs};
use super::characters::latin;

pub fn clean(title: &str, text: &str) -> Vec<String> {
    let prose = without_code(text);
    let mut out: Vec<String> = paragraphs(&prose)
        .into_iter()
        .map(|p| latin(&p.replace('`', "")).into_owned())
        .filter(|p| is_prose(p) && !is_code(p) && (ends_sentence(p) || is_stub(p) || item_of(p).is_some()))
        .collect();
    for cut in ["References", "Copyright", "Footnotes", "Acknowledgements", "Acknowledgments"] {
        if let Some(at) = out.iter().position(|p| p == cut) {
            out.truncate(at);
        }
    }
    let mut out = drop_empty_headings(drop_stub_runs(out, 3), is_stub);
    if !title.is_empty() && !title.contains('/') && out.first().is_some_and(|first| first != title) {
        out.insert(0, title.replace('`', ""));
    }
    out
}

/// Lines that are not inside a fence, and not indented as code.
fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    let mut indented = false;
    let mut after_blank = true;
    for line in text.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            after_blank = true;
            out.push('\n');
            continue;
        }
        // A block that begins indented is code (or a quotation) until the indent ends; a wrapped list item is indented but follows a line.
        if after_blank {
            indented = indent >= 2 && item_of(line).is_none();
        } else if indent == 0 {
            indented = false;
        }
        after_blank = false;
        let directive = line.starts_with("..") || line.starts_with("Filename:") || line.starts_with('<') || line.starts_with("{{");
        if !fenced && !indented && !directive {
            let line = line.strip_suffix("::").map_or_else(|| line.to_owned(), |l| format!("{l}:"));
            out.push_str(if line.trim() == ":" { "" } else { &line });
        }
        out.push('\n');
    }
    out
}

fn is_code(paragraph: &str) -> bool {
    let marks = paragraph
        .bytes()
        .filter(|b| matches!(b, b'{' | b'}' | b'=' | b'<' | b'>' | b'|' | b'\\' | b'_' | b'#' | b'$' | b'[' | b']'))
        .count();
    marks * 25 > paragraph.len() || paragraph.starts_with(">>>") || paragraph.contains("http")
}
