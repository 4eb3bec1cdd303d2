//! Articles of US government sites: Markdown already flattened, with bylines, calls to subscribe, empty bullets and metadata left over.

use super::blocks::{drop_empty_headings, drop_stub_runs, ends_sentence, is_prose, is_stub, item_of, paragraphs};
use super::characters::{latin, tidy};

/// Beginnings of paragraphs that every other article repeats.
const BOILERPLATE: &[&str] = &[
    "expirydate",
    "questions about this event",
    "send them to",
    "- email us",
    "- join our community",
    "join our community",
    "contact us",
    "view the slides",
    "view slides",
    "disclaimer:",
    "follow @",
    "see more digitalgov",
    "we recommend including",
    "each week, the data briefing",
    "you've just finished reading",
    "this article is part of",
    "this post was originally",
    "the u.s. web design system is a toolkit",
    "dr. william brantley",
    "download the",
    "transcript",
    "watch the video",
    "slide ",
    "image:",
    "photo",
    "screenshot",
    "date:",
    "time:",
    "related links",
    "related resources",
    "resources",
    "agenda",
    "speakers",
    "presenters",
    "footnotes",
    "for those of you who find the chat",
];

pub fn clean(title: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for paragraph in paragraphs(text) {
        let paragraph = without_emphasis(&latin(&paragraph));
        let lower = paragraph.get(..paragraph.len().min(60)).unwrap_or_default().to_lowercase();
        if BOILERPLATE.iter().any(|start| lower.starts_with(start)) {
            continue;
        }
        if item_of(&paragraph).is_some() {
            // Prose lists stay; lists of bare links and names go.
            let items: Vec<String> =
                paragraph.lines().filter(|line| line.len() >= 25 && line.len() < 600 && !has_address(line)).map(tidy).collect();
            if items.len() * 2 > paragraph.lines().count() {
                out.push(items.join("\n"));
            }
        } else if !has_address(&paragraph)
            && is_prose(&paragraph)
            && (ends_sentence(&paragraph) || is_stub(&paragraph) || paragraph.len() > 200)
        {
            out.push(paragraph);
        }
    }
    let mut out = drop_empty_headings(drop_stub_runs(out, 3), is_stub);
    if !title.is_empty() && !title.contains('/') && out.first().is_some_and(|first| first != title) {
        out.insert(0, title.to_owned());
    }
    // An article that is mostly list is an index.
    let listed: usize = out.iter().filter(|p| item_of(p).is_some()).map(String::len).sum();
    if listed * 2 > out.iter().map(String::len).sum::<usize>() { Vec::new() } else { out }
}

/// Takes out the underscores that mark emphasis; those inside a name stay.
fn without_emphasis(paragraph: &str) -> String {
    let mut out = String::with_capacity(paragraph.len());
    let mut rest = paragraph;
    while let Some(at) = rest.find('_') {
        let (before, marks) = rest.split_at(at);
        out.push_str(before);
        let n = marks.bytes().take_while(|&b| b == b'_').count();
        let inside = out.ends_with(char::is_alphanumeric) && marks[n..].starts_with(char::is_alphanumeric);
        out.push_str(if inside { &marks[..n] } else { "" });
        rest = &marks[n..];
    }
    out.push_str(rest);
    out
}

fn has_address(text: &str) -> bool {
    ["http", "www.", "{{", "}}", "{%", "](", "<", "@gsa.gov", "\\_"].iter().any(|sign| text.contains(sign))
}
