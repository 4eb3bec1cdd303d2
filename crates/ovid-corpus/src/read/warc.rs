//! WARC 1.0 and 1.1 (ISO 28500): pages as a crawler saved them.
//!
//! A record that is broken is a row; the reader goes on at the next line that begins a record, in a file packed record by record at the next gzip member.
//! `response` and `resource` records are pages, `conversion` records (WET) documents; requests, metadata and revisits are passed over.

use std::collections::VecDeque;
use std::io;

use super::input::{Input, Refused};
use super::{Found, fields, http};
use crate::{Document, Record};

/// No sane header has a longer line or more lines.
const HEADER_LINE_BYTES: usize = 1 << 16;
const HEADER_LINES: usize = 256;

pub(super) struct Warc {
    found: Found,
    input: Input,
    limit: usize,
    n_records: u64,
    line: Vec<u8>,
    ready: VecDeque<Record>,
    ended: bool,
}

#[derive(Default)]
struct Header {
    kind: String,
    id: String,
    url: Option<String>,
    date: Option<String>,
    content_type: Option<String>,
    /// A field of `ovid corpus fetch`'s own.
    score: Option<i64>,
    n_bytes: Option<u64>,
}

impl Warc {
    pub fn new(found: Found, input: Input, limit: usize) -> Self {
        Self { found, input, limit, n_records: 0, line: Vec::new(), ready: VecDeque::new(), ended: false }
    }

    /// One step: a record, a row, or nothing to show for it. An error is one of the stream.
    fn step(&mut self) -> io::Result<()> {
        let mut n_stray = 0;
        loop {
            let n = self.input.line(HEADER_LINE_BYTES, &mut self.line)?;
            if n == 0 {
                self.ended = true;
            }
            if n == 0 || self.line.starts_with(b"WARC/") {
                break;
            }
            let blank = self.line.iter().all(u8::is_ascii_whitespace);
            n_stray += if blank && n_stray == 0 { 0 } else { n };
        }
        if n_stray > 0 {
            self.row("broken", format!("{n_stray} bytes that belong to no record"));
        }
        if self.ended {
            return Ok(());
        }
        self.n_records += 1;
        let header = self.header()?;
        let Some(n_bytes) = header.n_bytes else {
            self.row("broken", "a record without Content-Length");
            return Ok(());
        };
        let wanted = matches!(header.kind.as_str(), "response" | "resource" | "conversion");
        if !wanted || n_bytes > self.limit as u64 {
            let passed = self.input.skip(n_bytes)?;
            if passed < n_bytes {
                self.row("cut-off", format!("the file ends {passed} bytes into a record of {n_bytes}"));
            } else if wanted {
                self.drop(&header, Refused::new("too-large", format!("{n_bytes} bytes, more than {}", self.limit)));
            }
            return Ok(());
        }
        let block = self.input.bytes(n_bytes)?;
        if (block.len() as u64) < n_bytes {
            self.drop(&header, Refused::new("cut-off", format!("the file ends {} bytes into a record of {n_bytes}", block.len())));
            return Ok(());
        }
        match self.record(&header, block) {
            Ok(record) => self.ready.push_back(record),
            Err(refused) => self.drop(&header, refused),
        }
        Ok(())
    }

    fn header(&mut self) -> io::Result<Header> {
        let mut header = Header::default();
        for _ in 0..HEADER_LINES {
            if self.input.line(HEADER_LINE_BYTES, &mut self.line)? == 0 {
                break;
            }
            let line = String::from_utf8_lossy(&self.line);
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim().to_owned();
            match name.trim().to_ascii_lowercase().as_str() {
                "warc-type" => header.kind = value.to_ascii_lowercase(),
                "warc-record-id" => value.trim_matches(['<', '>']).clone_into(&mut header.id),
                "warc-target-uri" => header.url = Some(value.trim_matches(['<', '>']).to_owned()),
                "warc-date" => header.date = Some(value),
                "content-type" => header.content_type = Some(value),
                "ovid-score" => header.score = value.parse().ok(),
                "content-length" => header.n_bytes = value.parse().ok(),
                _ => {}
            }
        }
        Ok(header)
    }

    fn document(&self, header: &Header) -> Document {
        let id = if header.id.is_empty() { self.n_records.to_string() } else { header.id.clone() };
        Document {
            source: self.found.source.clone(),
            id,
            url: header.url.clone(),
            date: header.date.clone(),
            score: header.score,
            place: self.found.place(self.n_records),
            ..Document::default()
        }
    }

    fn record(&self, header: &Header, block: Vec<u8>) -> Result<Record, Refused> {
        let document = self.document(header);
        let declared = header.content_type.as_deref().unwrap_or_default();
        if header.kind == "conversion" {
            return fields::text(document, &block, None);
        }
        if header.kind == "response" && declared.to_ascii_lowercase().contains("http") {
            let response = http::Response::parse(&block).map_err(|cause| Refused::new("broken", cause))?;
            if response.status != 200 {
                return Err(Refused::new("status", format!("HTTP status {}", response.status)));
            }
            let content_type = response.header("content-type").map(ToOwned::to_owned);
            let body = match response.body(self.limit) {
                http::Body::Whole(bytes) => bytes,
                http::Body::TooLarge => return Err(Refused::new("too-large", format!("unpacks to more than {} bytes", self.limit))),
                http::Body::Broken(cause) => return Err(Refused::new("broken", cause)),
                http::Body::Unsupported(coding) => return Err(Refused::new("unsupported", format!("content encoding {coding:?}"))),
            };
            return fields::served(document, body, content_type);
        }
        fields::served(document, block, header.content_type.clone())
    }

    fn drop(&mut self, header: &Header, refused: Refused) {
        let mut row = self.document(header).row(super::STAGE, refused.reason, refused.detail);
        row.n_bytes = header.n_bytes.unwrap_or(0);
        self.ready.push_back(Record::Dropped(row));
    }

    fn row(&mut self, reason: &'static str, detail: impl Into<String>) {
        self.ready.push_back(Record::Dropped(self.found.row(self.n_records.max(1), reason, detail)));
    }
}

impl Iterator for Warc {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.ready.is_empty() && !self.ended {
            if let Err(cause) = self.step() {
                let refused = self.input.refused(&cause);
                self.row(refused.reason, format!("{}, in or after record {}", refused.detail, self.n_records));
                self.ended = !self.input.resume();
            }
        }
        self.ready.pop_front()
    }
}
