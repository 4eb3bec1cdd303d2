//! What no extractor looks at is cut off before the page is parsed: style sheets, drawings, comments, and scripts other than JSON-LD.
//!
//! They are most of a page's bytes, and would be parsed, copied and walked over some ten times.

use std::borrow::Cow;

const RAW: [&str; 3] = ["script", "style", "svg"];

/// The page without them. What does not end is left for the parser, which knows the standard's way with it.
pub(super) fn prepare(html: &str) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
        let start = at + found;
        at = match end_of_cut(html, start) {
            Some(Span::Cut(end)) => {
                out.push_str(&html[kept..start]);
                kept = end;
                end
            }
            Some(Span::Kept(end)) => end,
            None => start + 1,
        };
    }
    if kept == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(&html[kept..]);
    Cow::Owned(out)
}

enum Span {
    /// Up to here it is to be left out.
    Cut(usize),
    /// Up to here it is data that must not be looked into.
    Kept(usize),
}

fn end_of_cut(html: &str, start: usize) -> Option<Span> {
    let rest = &html[start..];
    if let Some(comment) = rest.strip_prefix("<!--") {
        // `<!-->` is a whole comment.
        if comment.starts_with('>') || comment.starts_with("->") {
            return Some(Span::Kept(start + 5));
        }
        return memchr::memmem::find(comment.as_bytes(), b"-->").map(|end| Span::Cut(start + 4 + end + 3));
    }
    let name = RAW.into_iter().find(|name| begins_with_tag(&rest.as_bytes()[1..], name))?;
    let closing = find_closing(rest.as_bytes(), name)?;
    let end = start + closing + memchr::memchr(b'>', &rest.as_bytes()[closing..])? + 1;
    let tag = &rest.as_bytes()[..memchr::memchr(b'>', rest.as_bytes())?];
    let is_data = name == "script" && memchr::memmem::find(&tag.to_ascii_lowercase(), b"ld+json").is_some();
    Some(if is_data { Span::Kept(end) } else { Span::Cut(end) })
}

/// Whether a tag of this name stands here, and no longer name.
fn begins_with_tag(bytes: &[u8], name: &str) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        && bytes.get(name.len()).is_some_and(|next| matches!(next, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' | b'/' | b'>'))
}

fn find_closing(bytes: &[u8], name: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memmem::find(&bytes[at..], b"</")?;
        if begins_with_tag(&bytes[at + 2..], name) {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(prepare(html), expected);
    }

    #[test]
    fn what_is_cut_off() {
        check("a<script>if (x</y) {}</script>b", "ab");
        check("a<SCRIPT src=x></Script >b<style>p{}</style>c", "abc");
        check("a<!-- <p> -->b<!-->c", "ab<!-->c");
        check("<svg><path d='M0'/></svg>x", "x");
        check("<scripture>x</scripture>", "<scripture>x</scripture>");
        check(
            "<script type='application/LD+JSON'>{\"a\": \"<!--\"}</script>-->",
            "<script type='application/LD+JSON'>{\"a\": \"<!--\"}</script>-->",
        );
        check("a<script>never ends", "a<script>never ends");
        check("a<!-- never ends", "a<!-- never ends");
        check("é<style>ü</style>é", "éé");
    }

    proptest! {
        #[test]
        fn only_bytes_of_the_page_remain_in_their_order(pieces in proptest::collection::vec(prop_oneof![
            Just("<script>"), Just("</script>"), Just("<!--"), Just("-->"), Just("<style>"), Just("</style"), Just("<svg"), Just("é"), Just("<"), Just(">"), Just("text"),
        ], 0..30)) {
            let page = pieces.concat();
            let prepared = prepare(&page);
            let mut rest = page.chars();
            prop_assert!(prepared.chars().all(|c| rest.any(|r| r == c)));
        }
    }
}
