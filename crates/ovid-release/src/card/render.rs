//! The card as text.

use std::fmt::Write as _;

use super::{Block, Card, Inline, Section};

impl Card {
    /// In Markdown, with the hub's metadata header; sources are footnotes.
    pub fn markdown(&self) -> String {
        let mut out = String::from("---\n");
        for (key, values) in &self.header {
            match &values[..] {
                [one] if key != "tags" => {
                    let _ = writeln!(out, "{key}: {}", yaml(one));
                }
                many => {
                    let _ = writeln!(out, "{key}:");
                    many.iter().for_each(|v| out += &format!("- {}\n", yaml(v)));
                }
            }
        }
        let _ = writeln!(out, "---\n\n# {}", markdown_words(&self.title));
        for Section { title, blocks } in &self.sections {
            let _ = writeln!(out, "\n## {title}");
            blocks.iter().for_each(|block| markdown_block(block, &mut out));
        }
        out += "\n## Sources\n\nEvery number above comes from one of these files of the release folder.\n\n";
        for (i, (file, sha256)) in self.sources.iter().enumerate() {
            let _ = writeln!(out, "[^{}]: `{file}`, sha256 `{sha256}`", i + 1);
        }
        out
    }

    /// As one page of HTML that asks for nothing from elsewhere.
    pub fn html(&self) -> String {
        let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        let _ = writeln!(
            out,
            "<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{}</h1>",
            escaped(&self.title),
            escaped(&self.title)
        );
        for Section { title, blocks } in &self.sections {
            let _ = writeln!(out, "<h2>{}</h2>", escaped(title));
            blocks.iter().for_each(|block| self.html_block(block, &mut out));
        }
        out += "<h2>Sources</h2>\n<p>Every number above comes from one of these files of the release folder.</p>\n<ol>\n";
        for (i, (file, sha256)) in self.sources.iter().enumerate() {
            let _ =
                writeln!(out, "<li id=\"source-{}\"><code>{}</code>, sha256 <code>{}</code></li>", i + 1, escaped(file), escaped(sha256));
        }
        out + "</ol>\n</body>\n</html>\n"
    }

    fn html_block(&self, block: &Block, out: &mut String) {
        let line = |line: &[Inline]| self.html_line(line);
        match block {
            Block::Text(text) => {
                let _ = writeln!(out, "<p>{}</p>", line(text));
            }
            Block::List(list) => {
                let items: String = list.iter().map(|text| format!("<li>{}</li>\n", line(text))).collect();
                let _ = writeln!(out, "<ul>\n{items}</ul>");
            }
            Block::Table { title, heads, rows } => {
                let heads: String = heads.iter().map(|h| format!("<th>{}</th>", escaped(h))).collect();
                let _ = writeln!(out, "<table>\n<caption>{}</caption>\n<tr>{heads}</tr>", line(title));
                for row in rows {
                    let cells: String = row.iter().map(|cell| format!("<td>{}</td>", line(cell))).collect();
                    let _ = writeln!(out, "<tr>{cells}</tr>");
                }
                out.push_str("</table>\n");
            }
        }
    }

    fn html_line(&self, line: &[Inline]) -> String {
        let part = |part: &Inline| match part {
            Inline::Words(text) => escaped(text),
            Inline::Unwritten(text) => format!("<mark>{}</mark>", escaped(text)),
            Inline::Code(text) => format!("<code>{}</code>", escaped(text)),
            Inline::Fact(text, source) => {
                let (file, sha256) = self.sources.get(source - 1).map_or(("", ""), |(f, s)| (f.as_str(), s.as_str()));
                let title = escaped(&super::sections::source_words(file, sha256));
                format!("<span title=\"{title}\">{}</span><sup><a href=\"#source-{source}\">{source}</a></sup>", escaped(text))
            }
        };
        line.iter().map(part).collect()
    }
}

const STYLE: &str = "body { font: 1rem/1.5 serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; width: 100% }
caption { text-align: left; font-style: italic }
th, td { text-align: left; border-bottom: 1px solid #999; padding: 0.2rem 0.6rem 0.2rem 0 }
code { overflow-wrap: anywhere }
mark { background: #fd6; outline: 2px solid #a00 }
";

fn markdown_block(block: &Block, out: &mut String) {
    match block {
        Block::Text(text) => {
            let _ = writeln!(out, "\n{}", markdown_line(text));
        }
        Block::List(list) => {
            out.push('\n');
            for text in list {
                let _ = writeln!(out, "- {}", markdown_line(text));
            }
        }
        Block::Table { title, heads, rows } => {
            let _ = writeln!(out, "\n{}:\n", markdown_line(title));
            let _ = writeln!(out, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| markdown_line(cell)).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
    }
}

fn markdown_line(line: &[Inline]) -> String {
    let part = |part: &Inline| match part {
        Inline::Words(text) => markdown_words(text),
        Inline::Unwritten(text) => format!("**{}**", markdown_words(text)),
        Inline::Code(text) => format!("`{}`", text.replace('`', "'")),
        Inline::Fact(text, source) => format!("{}[^{source}]", markdown_words(text)),
    };
    line.iter().map(part).collect::<String>().trim_end().to_owned()
}

/// Words in which nothing is a mark of Markdown or HTML: they come from files that anybody may have written.
fn markdown_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '*' | '_' | '`' | '<' | '>' | '[' | ']' | '|' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A scalar of YAML: quoted where it is not a plain word.
fn yaml(text: &str) -> String {
    let plain =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) && text.bytes().any(|b| b.is_ascii_alphabetic());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
