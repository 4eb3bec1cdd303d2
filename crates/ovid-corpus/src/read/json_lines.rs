//! JSON Lines: a document a line. A line that is no document is a row, and the next one is read.

use serde::Deserialize;

use super::Found;
use super::fields::Fields;
use super::input::Input;
use crate::{Document, Record};

pub(super) struct JsonLines {
    found: Found,
    input: Input,
    limit: usize,
    n_lines: u64,
    line: Vec<u8>,
    ended: bool,
}

#[derive(Deserialize)]
struct Raw {
    text: Option<String>,
    html: Option<String>,
    id: Option<Text>,
    source: Option<String>,
    title: Option<String>,
    url: Option<String>,
    score: Option<i64>,
    #[serde(alias = "timestamp", alias = "published")]
    date: Option<Text>,
    #[serde(alias = "license")]
    licence: Option<String>,
    language: Option<String>,
}

/// A value that some write as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(serde_json::Number),
}

impl From<Text> for String {
    fn from(value: Text) -> Self {
        match value {
            Text::Text(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

impl JsonLines {
    pub fn new(found: Found, input: Input, limit: usize) -> Self {
        Self { found, input, limit, n_lines: 0, line: Vec::new(), ended: false }
    }

    fn row(&self, reason: &str, detail: impl Into<String>) -> Record {
        let mut row = self.found.row(self.n_lines, reason, detail);
        row.id = self.n_lines.to_string();
        row.n_bytes = self.line.len() as u64;
        Record::Dropped(row)
    }

    fn step(&mut self) -> std::io::Result<Option<Record>> {
        // JSON escapes make a line longer than its text; twice as long is allowed for.
        let limit = self.limit.saturating_mul(2);
        if self.input.line(limit, &mut self.line)? == 0 {
            self.ended = true;
            return Ok(None);
        }
        self.n_lines += 1;
        if self.line.len() == limit && !self.line.ends_with(b"\n") {
            let row = self.row("too-large", format!("the line is longer than {limit} bytes"));
            self.input.skip_line()?;
            return Ok(Some(row));
        }
        if self.n_lines == 1 && self.line.starts_with(b"\xEF\xBB\xBF") {
            self.line.drain(..3);
        }
        if self.line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Ok(Some(match serde_json::from_slice::<Raw>(&self.line) {
            Ok(raw) => self.record(raw),
            Err(cause) => self.row("broken", format!("no document: {}", words(&cause))),
        }))
    }

    fn record(&self, raw: Raw) -> Record {
        let document = Document {
            source: raw.source.unwrap_or_else(|| self.found.source.clone()),
            id: raw.id.map_or_else(|| self.n_lines.to_string(), Into::into),
            title: raw.title,
            url: raw.url,
            score: raw.score,
            date: raw.date.map(Into::into),
            licence: raw.licence,
            language: raw.language,
            place: self.found.place(self.n_lines),
            ..Document::default()
        };
        Fields { document, text: raw.text, html: raw.html.map(String::into_bytes) }.record()
    }
}

impl Iterator for JsonLines {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while !self.ended {
            match self.step() {
                Ok(Some(record)) => return Some(record),
                Ok(None) => {}
                Err(cause) => {
                    self.ended = true;
                    let refused = self.input.refused(&cause);
                    return Some(self.row(refused.reason, format!("{}, after line {}", refused.detail, self.n_lines)));
                }
            }
        }
        None
    }
}

/// The parser's words without its line number, which is always 1 here.
fn words(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| format!("{words} (column {})", cause.column()))
}
