//! Parquet: columns of the names that JSON Lines has, one row a document. Nested columns are passed over.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as Columns};

use super::Found;
use super::fields::Fields;
use crate::Record;

pub(super) fn records(found: Found, limit: usize, bytes_read: Arc<AtomicU64>) -> Box<dyn Iterator<Item = Record> + Send> {
    let dropped = |reason, detail: String| -> Box<dyn Iterator<Item = Record> + Send> {
        Box::new(std::iter::once(Record::Dropped(found.row(1, reason, detail))))
    };
    let file = match File::open(&found.path) {
        Ok(file) => file,
        Err(cause) => return dropped("unreadable", super::input::plain(&cause)),
    };
    let n_bytes = file.metadata().map_or(0, |about| about.len());
    let reader = match SerializedFileReader::new(file) {
        Ok(reader) => reader,
        Err(cause) => return dropped(if n_bytes == 0 { "empty" } else { "broken" }, cause.to_string()),
    };
    let total = reader.metadata().file_metadata().num_rows().max(1) as u64;
    let mut n_rows = 0;
    let mut failed = false;
    let mut rows = reader.into_iter();
    Box::new(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let row = rows.next()?;
        n_rows += 1;
        // The library reads pages as it likes; progress is the share of the rows.
        bytes_read.fetch_add(n_bytes * n_rows / total - n_bytes * (n_rows - 1) / total, Ordering::Relaxed);
        Some(match row {
            Ok(columns) => record(&found, n_rows, &columns, limit),
            Err(cause) => {
                failed = true;
                Record::Dropped(found.row(n_rows, "broken", format!("row {n_rows} and those behind it: {cause}")))
            }
        })
    }))
}

fn record(found: &Found, n: u64, columns: &Columns, limit: usize) -> Record {
    let mut fields = Fields::default();
    fields.document.source.clone_from(&found.source);
    fields.document.id = n.to_string();
    fields.document.place = found.place(n);
    for (name, field) in columns.get_column_iter() {
        let document = &mut fields.document;
        match name.as_str() {
            "html" => fields.html = bytes(field),
            "text" => fields.text = text(field),
            "source" => document.source = text(field).unwrap_or_else(|| found.source.clone()),
            "id" => document.id = text(field).unwrap_or_else(|| n.to_string()),
            "title" => document.title = text(field),
            "url" => document.url = text(field),
            "score" => document.score = text(field).and_then(|n| n.parse().ok()),
            "date" | "timestamp" | "published" => document.date = text(field),
            "licence" | "license" => document.licence = text(field),
            "language" => document.language = text(field),
            _ => {}
        }
    }
    let size = fields.text.as_ref().map_or(0, String::len).max(fields.html.as_ref().map_or(0, Vec::len));
    if size > limit {
        return Record::Dropped(fields.document.row(super::STAGE, "too-large", format!("{size} bytes, more than {limit}")));
    }
    fields.record()
}

fn text(field: &Field) -> Option<String> {
    match field {
        Field::Null => None,
        Field::Str(text) => Some(text.clone()),
        Field::Bytes(bytes) => Some(crate::decode::decode(bytes.data(), None).text),
        other => Some(other.to_string()),
    }
}

fn bytes(field: &Field) -> Option<Vec<u8>> {
    match field {
        Field::Bytes(bytes) => Some(bytes.data().to_vec()),
        other => text(other).map(String::into_bytes),
    }
}
