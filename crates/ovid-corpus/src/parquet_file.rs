//! Documents as Parquet, both ways: a column a field, `touched` and `cluster` as JSON in theirs.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ovid_io::atomic::AtomicFile;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::SerializedFileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::{Field, Row as Columns};
use parquet::schema::parser::parse_message_type;

use crate::{Document, Error};

const SCHEMA: &str = "message document {
    required binary text (utf8);
    required binary source (utf8);
    required binary id (utf8);
    optional binary title (utf8);
    optional binary url (utf8);
    optional int64 score;
    optional binary date (utf8);
    optional binary licence (utf8);
    optional binary language (utf8);
    required binary file (utf8);
    required int64 record;
    optional binary touched (utf8);
    optional binary cluster (utf8);
}";

/// A row group ends after so many bytes of text.
const GROUP_BYTES: usize = 32 << 20;

/// Writes documents.
pub(crate) fn write(path: &Path, mut documents: impl Iterator<Item = Result<Document, Error>>) -> Result<(), Error> {
    let broken = |cause: ParquetError| refuse(path, &cause);
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(broken)?);
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(9).map_err(broken)?)).build();
    let mut out = AtomicFile::create(path)?;
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties)).map_err(broken)?;
    loop {
        let (mut group, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < GROUP_BYTES
            && let Some(document) = documents.next()
        {
            let document = document?;
            n_bytes += document.text.len();
            group.push(document);
        }
        if group.is_empty() {
            break;
        }
        let mut row_group = writer.next_row_group().map_err(broken)?;
        write_group(&mut row_group, &group).map_err(broken)?;
        row_group.close().map_err(broken)?;
    }
    writer.close().map_err(broken)?;
    Ok(out.commit()?)
}

fn write_group(group: &mut SerializedRowGroupWriter<'_, &mut AtomicFile>, documents: &[Document]) -> Result<(), ParquetError> {
    let all = |of: fn(&Document) -> &str| documents.iter().map(|d| Some(of(d).to_owned())).collect::<Vec<_>>();
    let some = |of: fn(&Document) -> &Option<String>| documents.iter().map(|d| of(d).clone()).collect::<Vec<_>>();
    let json = |text: serde_json::Result<String>| text.map_err(|cause| ParquetError::General(cause.to_string()));
    let touched: Vec<Option<String>> = documents
        .iter()
        .map(|d| (!d.touched.is_empty()).then(|| json(serde_json::to_string(&d.touched))).transpose())
        .collect::<Result<_, _>>()?;
    let clusters: Vec<Option<String>> =
        documents.iter().map(|d| d.cluster.as_ref().map(|c| json(serde_json::to_string(c))).transpose()).collect::<Result<_, _>>()?;
    let texts = [all(|d| &d.text), all(|d| &d.source), all(|d| &d.id)];
    for column in &texts {
        write_texts(group, column, 0)?;
    }
    write_texts(group, &some(|d| &d.title), 1)?;
    write_texts(group, &some(|d| &d.url), 1)?;
    write_numbers(group, documents.iter().map(|d| d.score).collect(), 1)?;
    write_texts(group, &some(|d| &d.date), 1)?;
    write_texts(group, &some(|d| &d.licence), 1)?;
    write_texts(group, &some(|d| &d.language), 1)?;
    write_texts(group, &all(|d| &d.place.file), 0)?;
    write_numbers(group, documents.iter().map(|d| Some(d.place.record as i64)).collect(), 0)?;
    write_texts(group, &touched, 1)?;
    write_texts(group, &clusters, 1)
}

fn next<'a>(
    group: &'a mut SerializedRowGroupWriter<'_, &mut AtomicFile>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'a>, ParquetError> {
    group.next_column()?.ok_or_else(|| ParquetError::General("the schema has fewer columns than a document".to_owned()))
}

/// `most` is the definition level of a value that is there: 1 in an optional column, 0 in a required one.
fn write_texts(
    group: &mut SerializedRowGroupWriter<'_, &mut AtomicFile>,
    column: &[Option<String>],
    most: i16,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = column.iter().flatten().map(|text| ByteArray::from(text.as_str())).collect();
    let levels: Vec<i16> = column.iter().map(|text| i16::from(text.is_some())).collect();
    let mut out = next(group)?;
    out.typed::<ByteArrayType>().write_batch(&values, (most > 0).then_some(&levels[..]), None)?;
    out.close()
}

fn write_numbers(
    group: &mut SerializedRowGroupWriter<'_, &mut AtomicFile>,
    column: Vec<Option<i64>>,
    most: i16,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = column.iter().map(|n| i16::from(n.is_some())).collect();
    let values: Vec<i64> = column.into_iter().flatten().collect();
    let mut out = next(group)?;
    out.typed::<Int64Type>().write_batch(&values, (most > 0).then_some(&levels[..]), None)?;
    out.close()
}

/// Reads what [`write`] wrote.
pub(crate) fn read(path: &Path) -> Result<impl Iterator<Item = Result<Document, Error>> + use<>, Error> {
    let file = File::open(path).map_err(|cause| ovid_io::Error::Io { path: path.to_owned(), doing: "read", cause })?;
    let reader = SerializedFileReader::new(file).map_err(|cause| refuse(path, &cause))?;
    let path = path.to_owned();
    Ok(reader.into_iter().map(move |row| row.map_err(|cause| refuse(&path, &cause)).and_then(|row| document(&path, &row))))
}

fn document(path: &Path, row: &Columns) -> Result<Document, Error> {
    let mut document = Document::default();
    for (name, field) in row.get_column_iter() {
        let text = if let Field::Str(text) = field { Some(text.clone()) } else { None };
        let number = if let Field::Long(n) = field { Some(*n) } else { None };
        let wrong = |cause: serde_json::Error| Error::data(path, format!("column '{name}': {cause}"));
        match name.as_str() {
            "text" => document.text = text.unwrap_or_default(),
            "source" => document.source = text.unwrap_or_default(),
            "id" => document.id = text.unwrap_or_default(),
            "title" => document.title = text,
            "url" => document.url = text,
            "score" => document.score = number,
            "date" => document.date = text,
            "licence" => document.licence = text,
            "language" => document.language = text,
            "file" => document.place.file = text.unwrap_or_default(),
            "record" => document.place.record = number.unwrap_or_default() as u64,
            "touched" => document.touched = text.map(|t| serde_json::from_str(&t)).transpose().map_err(wrong)?.unwrap_or_default(),
            "cluster" => document.cluster = text.map(|t| serde_json::from_str(&t)).transpose().map_err(wrong)?,
            _ => {}
        }
    }
    Ok(document)
}

fn refuse(path: &Path, cause: &ParquetError) -> Error {
    Error::data(path, cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Place};

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut full = Document {
            text: "Text\nwith \"marks\" \u{1f600}".into(),
            source: "s".into(),
            id: "1".into(),
            title: Some("T".into()),
            url: Some("http://a.org".into()),
            score: Some(-3),
            date: Some("2019-02-14".into()),
            licence: Some("CC0".into()),
            language: Some("eng".into()),
            place: Place { file: "f".into(), record: 7 },
            cluster: Some(Name { source: "s".into(), id: "0".into() }),
            ..Document::default()
        };
        full.touch("repair", "composed");
        let bare = Document { text: "x".into(), ..Document::default() };
        let documents = vec![full, bare.clone(), bare];
        write(&path, documents.iter().cloned().map(Ok)).unwrap();
        assert_eq!(read(&path).unwrap().collect::<Result<Vec<_>, _>>().unwrap(), documents);
        std::fs::write(&path, b"PAR1 no").unwrap();
        assert!(read(&path).is_err());
    }
}
