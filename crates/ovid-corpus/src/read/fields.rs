//! What the readers have in common: from what a record says of itself to a page, a document or a row.

use super::STAGE;
use super::input::Refused;
use crate::decode::decode;
use crate::{Document, Page, Record};

/// The fields that Ovid reads, by whatever name; everything else in a line or a row is left.
#[derive(Default)]
pub(super) struct Fields {
    pub document: Document,
    pub text: Option<String>,
    pub html: Option<Vec<u8>>,
}

impl Fields {
    /// A document where there is text, a page where there is HTML only.
    pub fn record(self) -> Record {
        let Self { mut document, text, html } = self;
        match (text, html) {
            (Some(text), _) => {
                document.text = text;
                Record::Document(document)
            }
            (None, Some(bytes)) => Record::Page(Page { document, bytes, content_type: None }),
            (None, None) => Record::Dropped(document.row(STAGE, "broken", "neither `text` nor `html`")),
        }
    }
}

/// A text in whatever encoding.
pub(super) fn text(mut document: Document, bytes: &[u8], charset: Option<&str>) -> Result<Record, Refused> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Refused::new("empty", "no text"));
    }
    let decoded = decode(bytes, charset);
    if decoded.encoding != "UTF-8" || decoded.malformed {
        let what = if decoded.malformed { ", with bytes that mean nothing in it" } else { "" };
        document.touch(STAGE, format!("decoded from {}{what}", decoded.encoding));
    }
    document.text = decoded.text;
    Ok(Record::Document(document))
}

/// A body that was served with a `Content-Type`, or without one.
pub(super) fn served(document: Document, bytes: Vec<u8>, content_type: Option<String>) -> Result<Record, Refused> {
    let lower = content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let kind = lower.split(';').next().unwrap_or_default().trim();
    let charset = charset(&lower);
    match kind {
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Err(Refused::new("empty", "no body")),
        "text/html" | "application/xhtml+xml" => Ok(Record::Page(Page { document, bytes, content_type })),
        "" | "application/octet-stream" | "text/plain" if looks_like_html(&bytes) => {
            Ok(Record::Page(Page { document, bytes, content_type }))
        }
        "text/plain" | "text/markdown" | "text/x-markdown" => text(document, &bytes, charset),
        _ => Err(Refused::new("not-text", format!("content type {kind:?}"))),
    }
}

/// The `charset` of a `Content-Type` in lower case.
pub(crate) fn charset(content_type: &str) -> Option<&str> {
    let (_, value) = content_type.split_once("charset=")?;
    let value = value.split(';').next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then_some(value)
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().copied().skip_while(|b| b.is_ascii_whitespace() || *b >= 0x80).take(64).collect();
    let start = String::from_utf8_lossy(&start).to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| start.starts_with(tag))
}
