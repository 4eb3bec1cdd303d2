//! A published sample as text, Markdown and HTML.

use std::fmt::Write as _;

use super::Published;

impl Published {
    /// As plain text.
    pub fn text(&self, record: &str) -> String {
        let g = &self.generation;
        let mut text = String::new();
        if !g.prompt.is_empty() {
            let _ = write!(text, "HUMAN-WRITTEN PROMPT\n\n{}\n\n", g.prompt);
        }
        let _ = write!(text, "MACHINE-WRITTEN TEXT ({})\n\n{}\n\n", self.tries_line(), g.text);
        for (name, value) in self.facts() {
            let _ = writeln!(text, "{name}: {value}");
        }
        text + &format!("check: {}\n", self.check_line(record))
    }

    /// As Markdown: the prompt bold, as in the publications of 2019.
    pub fn markdown(&self, record: &str) -> String {
        let g = &self.generation;
        let mut text = String::new();
        if !g.prompt.is_empty() {
            let _ = write!(text, "**Human-written prompt**\n\n{}\n\n", quoted(&g.prompt, "**"));
        }
        let _ = write!(text, "**Machine-written text** ({})\n\n{}\n\n", self.tries_line(), quoted(&g.text, ""));
        text += "| | |\n| --- | --- |\n";
        for (name, value) in self.facts() {
            let _ = writeln!(text, "| {name} | {} |", escaped_markdown(&value));
        }
        text + &format!("\nCheck it: `{}`\n", self.check_line(record))
    }

    /// As a page of its own.
    pub fn html(&self, record: &str) -> String {
        let g = &self.generation;
        let prompt = if g.prompt.is_empty() {
            String::new()
        } else {
            format!("<h2>Human-written prompt</h2>\n<div class=\"text human\">{}</div>\n", escaped_html(&g.prompt))
        };
        let mut facts = String::new();
        for (name, value) in self.facts() {
            let _ = writeln!(facts, "<tr><th>{name}</th><td>{}</td></tr>", escaped_html(&value));
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <main>\n{prompt}<h2>Machine-written text <small>{tries}</small></h2>\n<div class=\"text machine\">{text}</div>\n<table>\n{facts}</table>\n<p>Check it: <code>{check}</code></p>\n</main>\n</html>\n",
            title = escaped_html(&format!("{}: {}", g.model.name, self.tries_line())),
            tries = escaped_html(&self.tries_line()),
            text = escaped_html(&g.text),
            check = escaped_html(&self.check_line(record)),
        )
    }
}

const STYLE: &str = "body{font:17px/1.55 Georgia,serif;margin:0;background:#fff;color:#1a1a1a}main{max-width:44em;margin:2em auto;padding:0 1em}\
h2{font-size:1em;margin:1.6em 0 .4em}small{font-weight:normal;color:#555}.text{white-space:pre-wrap;overflow-wrap:anywhere;padding:.7em 1em;border-left:4px solid}\
.human{border-color:#0072b2;font-weight:bold}.machine{border-color:#d55e00}table{margin-top:2em;font-size:.8em;border-collapse:collapse}\
th{text-align:left;vertical-align:top;padding:.15em 1em .15em 0}td{overflow-wrap:anywhere}code{font-size:.85em;overflow-wrap:anywhere}";

/// A block quote, each line between marks; what means something in Markdown is escaped, so that a text shows as it is.
fn quoted(text: &str, mark: &str) -> String {
    let line = |line: &str| {
        let line = line.trim_matches(' ');
        if line.is_empty() { ">".to_owned() } else { format!("> {mark}{}{mark}  ", escaped_markdown(line)) }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn escaped_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ';' | ':' | '\'' | '"' | '?' | '/' | '%') {
            escaped.push('\\');
        }
        escaped.push(if c == '\r' { ' ' } else { c });
    }
    escaped
}

fn escaped_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
