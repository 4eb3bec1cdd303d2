//! From the markup of a main text to the text: paragraphs with a blank line between, items and table rows on lines of their own, white space as a browser shows it.

use trafilatura::dom::Document;

/// What an element does to the line that the text is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    None,
    /// A cell: a tab between it and the one before.
    Cell,
    Line,
    Paragraph,
}

impl Break {
    fn of(tag: &str) -> Self {
        match tag {
            "td" | "th" => Self::Cell,
            "br" | "lb" | "li" | "item" | "tr" | "row" | "dt" | "dd" | "figcaption" | "caption" | "summary" => Self::Line,
            "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "head" | "ul" | "ol" | "dl" | "list" | "table" | "thead" | "tbody"
            | "blockquote" | "quote" | "pre" | "section" | "article" | "header" | "footer" | "main" | "aside" | "figure" | "hr"
            | "details" | "fieldset" | "address" => Self::Paragraph,
            _ => Self::None,
        }
    }
}

/// The text of a piece of HTML.
pub(super) fn of_html(html: &str) -> String {
    let document = Document::parse(html);
    let mut out = Layout::default();
    // An own stack: the markup may be nested deeper than ours reaches.
    let mut stack = vec![(document.body().unwrap_or_else(|| document.root()), Side::Before, false)];
    while let Some((node, side, inside_pre)) = stack.pop() {
        if document.is_text(node) {
            out.push(&document.text_content(node), inside_pre);
            continue;
        }
        if !document.is_element(node) {
            continue;
        }
        let tag = document.tag_name(node);
        out.want(Break::of(tag));
        if side == Side::Before {
            let inside_pre = inside_pre || tag == "pre";
            // A cell's break stands before it alone.
            if Break::of(tag) != Break::Cell {
                stack.push((node, Side::Behind, inside_pre));
            }
            stack.extend(document.child_nodes(node).into_iter().rev().map(|child| (child, Side::Before, inside_pre)));
        }
    }
    out.text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

#[derive(Default)]
struct Layout {
    text: String,
    wanted: Option<Break>,
    blank: bool,
}

impl Layout {
    fn want(&mut self, wanted: Break) {
        let rank = |b: Option<Break>| b.map_or(0, |b| b as u8);
        if wanted != Break::None && rank(Some(wanted)) > rank(self.wanted) {
            self.wanted = Some(wanted);
        }
    }

    fn push(&mut self, text: &str, as_it_lies: bool) {
        if as_it_lies && !text.trim().is_empty() {
            self.settle();
            self.text.push_str(text.trim_end_matches('\n'));
            // What follows a line's end in preformatted text begins a line.
            if text.ends_with('\n') {
                self.want(Break::Line);
            }
            return;
        }
        for (n, word) in text.split(is_space).enumerate() {
            self.blank |= n > 0;
            if !word.is_empty() {
                self.settle();
                self.text.push_str(word);
            }
        }
    }

    /// Writes the break that stands between what is written and what comes.
    fn settle(&mut self) {
        let (wanted, blank) = (self.wanted.take(), std::mem::take(&mut self.blank));
        if self.text.is_empty() {
            return;
        }
        self.text.push_str(match wanted {
            Some(Break::Paragraph) => "\n\n",
            Some(Break::Line) => "\n",
            Some(Break::Cell) => "\t",
            _ if blank => " ",
            _ => "",
        });
    }
}

/// HTML's white space, and the no-break space that pages are laid out with.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0C' | '\u{A0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_as_a_browser_shows_it() {
        let check = |html: &str, expected: &str| assert_eq!(of_html(html), expected, "{html}");
        check("<p>One\n  two.</p><p>Three<b>four</b> <i>five</i>.</p>", "One two.\n\nThreefour five.");
        check("<p>a<br>b</p><ul><li>c</li><li><p>d</p></li></ul>e", "a\nb\n\nc\n\nd\n\ne");
        check("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1\t2\n3");
        check("<pre>x = 1\n  y = 2\n</pre>z", "x = 1\n  y = 2\n\nz");
        check("<div><div> </div></div>", "");
        check("a&nbsp;&amp;&nbsp;b", "a & b");
    }

    #[test]
    fn deep_markup_is_no_trouble() {
        let n = 5_000;
        assert_eq!(of_html(&format!("{}x{}", "<b>".repeat(n), "</b>".repeat(n))), "x");
    }
}
