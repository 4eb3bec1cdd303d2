//! Files that are one document each: HTML, Markdown, plain text.

use super::input::{Input, Refused};
use super::{Found, STAGE, fields};
use crate::{Document, Page, Record};

pub(super) fn record(found: &Found, mut input: Input, is_html: bool, limit: usize) -> Record {
    let document = Document { source: found.source.clone(), id: found.id.clone(), place: found.place(1), ..Document::default() };
    let bytes = match input.bytes(limit as u64 + 1) {
        Ok(bytes) if bytes.len() > limit => Err(Refused::new("too-large", format!("more than {limit} bytes"))),
        Ok(bytes) => Ok(bytes),
        Err(cause) => Err(input.refused(&cause)),
    };
    let record = bytes.and_then(|bytes| match is_html {
        true if bytes.iter().all(u8::is_ascii_whitespace) => Err(Refused::new("empty", "no markup")),
        true => Ok(Record::Page(Page { document: document.clone(), bytes, content_type: None })),
        false => fields::text(document.clone(), &bytes, None),
    });
    record.unwrap_or_else(|refused| Record::Dropped(document.row(STAGE, refused.reason, refused.detail)))
}
