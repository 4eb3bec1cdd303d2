//! Readers: every form, and every way in which a file can be broken. What cannot be read is a row, and the rest goes on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ovid_corpus::Record;
use ovid_corpus::read::{Limits, Records};
use proptest::prelude::*;

const LIMITS: Limits = Limits { record_bytes: 1 << 16 };

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn warc_record(kind: &str, url: &str, content_type: &str, block: &[u8]) -> Vec<u8> {
    let head = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{url}>\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2019-02-14T00:00:00Z\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        block.len()
    );
    [head.as_bytes(), block, b"\r\n\r\n"].concat()
}

fn response(url: &str, head: &str, body: &[u8]) -> Vec<u8> {
    warc_record("response", url, "application/http; msgtype=response", &[format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat())
}

fn html(url: &str) -> Vec<u8> {
    response(url, "200 OK\r\nContent-Type: text/html", format!("<p>{url}</p>").as_bytes())
}

/// Each record as one line: its name, and what it is.
fn read(path: &Path) -> Vec<String> {
    let show = |record| match record {
        Record::Page(page) => format!("{} page {}", page.document.id, String::from_utf8_lossy(&page.bytes)),
        Record::Document(document) => format!("{} text {}", document.id, document.text),
        Record::Dropped(row) => format!("{} {}", row.id, row.reason),
    };
    Records::open(&[path], LIMITS).unwrap().map(show).collect()
}

fn check(name: &str, bytes: &[u8], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path), expected, "{name}");
}

#[test]
fn a_warc_gives_its_pages() {
    let info = warc_record("warcinfo", "info", "application/warc-fields", b"software: x\r\n");
    let request = warc_record("request", "r", "application/http; msgtype=request", b"GET / HTTP/1.1\r\n\r\n");
    let resource = warc_record("resource", "s", "text/html", b"<p>s</p>");
    let wet = warc_record("conversion", "w", "text/plain", "Grüße".as_bytes());
    let gone = response("g", "404 Not Found\r\nContent-Type: text/html", b"<p>");
    let image = response("i", "200 OK\r\nContent-Type: image/png", b"\x89PNG");
    let plain = response("p", "200 OK\r\nContent-Type: text/plain; charset=windows-1252", b"caf\xe9 au lait, s'il vous pla\xeet");
    let sniffed = response("n", "200 OK", b" <!DOCTYPE html><p>n");
    let packed = response("z", "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip", &gzip(b"<p>z"));
    let bomb = response("b", "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip", &gzip(&vec![b'x'; 1 << 20]));
    let large = response("l", "200 OK\r\nContent-Type: text/html", &vec![b'x'; 1 << 17]);
    let all = [info, request, html("a"), resource, wet, gone, image, plain, sniffed, packed, bomb, large, html("e")];
    let expected = [
        "urn:uuid:a page <p>a</p>",
        "urn:uuid:s page <p>s</p>",
        "urn:uuid:w text Grüße",
        "urn:uuid:g status",
        "urn:uuid:i not-text",
        "urn:uuid:p text café au lait, s'il vous plaît",
        "urn:uuid:n page  <!DOCTYPE html><p>n",
        "urn:uuid:z page <p>z",
        "urn:uuid:b too-large",
        "urn:uuid:l too-large",
        "urn:uuid:e page <p>e</p>",
    ];
    check("plain.warc", &all.concat(), &expected);
    check("members.warc.gz", &all.iter().flat_map(|record| gzip(record)).collect::<Vec<_>>(), &expected);
    check("one-member.warc.gz", &gzip(&all.concat()), &expected);
    check("packed.warc.zst", &zstd::encode_all(&all.concat()[..], 3).unwrap(), &expected);
}

#[test]
fn a_broken_warc_costs_what_is_broken() {
    let (a, b, c) = (html("a"), html("b"), html("c"));
    let [page_a, page_b, page_c] = ["a", "b", "c"].map(|id| format!("urn:uuid:{id} page <p>{id}</p>"));
    // A file cut anywhere gives the records that are whole, and a row.
    check("cut.warc", &[&a[..], &b[..b.len() - 10]].concat(), &[&page_a, "urn:uuid:b cut-off"]);
    let (gzip_a, gzip_b, gzip_c) = (gzip(&a), gzip(&b), gzip(&c));
    check("cut.warc.gz", &[&gzip_a[..], &gzip_b[..gzip_b.len() / 2]].concat(), &[&page_a, "cut.warc.gz cut-off"]);
    // A member that is broken in the middle is passed over.
    let mut broken = gzip_b.clone();
    let middle = broken.len() / 2;
    broken[middle..middle + 8].fill(0xFF);
    let read = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.warc.gz");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    };
    let all = read(&[&gzip_a[..], &broken, &gzip_c].concat());
    assert_eq!((&all[0], all.last().unwrap()), (&page_a, &page_c), "{all:?}");
    assert!(all.iter().any(|line| line.ends_with(" broken") || line.ends_with(" cut-off")), "{all:?}");
    // Garbage between records.
    check("garbage.warc", &[&a[..], b"what is this?\r\n", &c].concat(), &[&page_a, "garbage.warc broken", &page_c]);
    // A length that lies: what it misses is garbage, and what it takes too much is gone with it.
    let short = String::from_utf8(b.clone()).unwrap().replace("Content-Length: 5", "Content-Length: 4");
    assert_ne!(short.as_bytes(), b);
    let all = read(&gzip(&[&a[..], short.as_bytes(), &c].concat()));
    assert_eq!((&all[0], all.last().unwrap()), (&page_a, &page_c), "{all:?}");
    assert!(!all.contains(&page_b) && all.len() >= 4, "{all:?}");
    check("none.warc", b"WARC/1.0\r\nWARC-Type: response\r\n\r\n", &["none.warc broken"]);
    check("endless.warc", &[b"WARC/1.0\r\n", &vec![b'x'; 1 << 18][..]].concat(), &["endless.warc broken"]);
    check("not.warc.gz", b"<html>", &["not.warc.gz broken"]);
    check("empty.warc.gz", b"", &["empty.warc.gz empty"]);
}

#[test]
fn json_lines_go_on_behind_a_bad_line() {
    let long = format!("{{\"text\": \"{}\"}}\n", "x".repeat(3 << 16));
    let lines = [
        "\u{FEFF}{\"text\": \"one\", \"id\": 7, \"unknown\": []}\n",
        "\n",
        "{\"text\": \n",
        "{\"html\": \"<p>h\", \"id\": \"h\"}\n",
        &long,
        "{\"id\": \"nothing\"}\n",
        "{\"text\": \"last\"}",
    ]
    .concat();
    let expected = ["7 text one", "3 broken", "h page <p>h", "5 too-large", "nothing broken", "7 text last"];
    check("a.jsonl", lines.as_bytes(), &expected);
    check("a.ndjson.gz", &gzip(lines.as_bytes()), &expected);
    check("a.jsonl.zst", &zstd::encode_all(lines.as_bytes(), 3).unwrap(), &expected);
    let packed = gzip(lines.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.jsonl.gz");
    std::fs::write(&path, &packed[..packed.len() - 20]).unwrap();
    assert!(read(&path).last().unwrap().ends_with(" cut-off"), "{:?}", read(&path));
    let latin = b"{\"text\": \"caf\xe9\"}\n{\"text\": \"b\"}\n";
    check("latin.jsonl", latin, &["1 broken", "2 text b"]);
}

#[test]
fn provenance_comes_along() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"{"text":"t","url":"http://a.org/x","score":5,"date":2019,"license":"CC0","source":"s","title":"T"}"#;
    std::fs::write(folder.path().join("a.jsonl"), line).unwrap();
    let Some(Record::Document(document)) = Records::open(&[folder.path()], LIMITS).unwrap().next() else { panic!() };
    assert_eq!(
        (document.url.as_deref(), document.score, document.date.as_deref(), document.licence.as_deref()),
        (Some("http://a.org/x"), Some(5), Some("2019"), Some("CC0"))
    );
    assert_eq!(
        (document.source.as_str(), document.id.as_str(), document.title.as_deref(), document.place.record),
        ("s", "1", Some("T"), 1)
    );
}

#[test]
fn files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("sub")).unwrap();
    std::fs::write(path("a.txt"), "plain").unwrap();
    std::fs::write(path("b.md"), "# Title\n").unwrap();
    std::fs::write(path("empty.html"), "").unwrap();
    std::fs::write(path("latin.txt"), b"Les \xe9l\xe8ves du lyc\xe9e \xe9taient tr\xe8s contents de leur \xe9t\xe9 \xe0 la for\xeat.")
        .unwrap();
    std::fs::write(path("large.txt"), vec![b'x'; LIMITS.record_bytes + 1]).unwrap();
    std::fs::write(path("sub/page.html.gz"), gzip(b"<p>p")).unwrap();
    std::fs::write(path(".hidden.txt"), "hidden").unwrap();
    let expected = [
        "a.txt text plain",
        "b.md text # Title\n",
        "empty.html empty",
        "large.txt too-large",
        "latin.txt text Les élèves du lycée étaient très contents de leur été à la forêt.",
        "sub/page.html.gz page <p>p",
    ];
    assert_eq!(read(folder.path()), expected);
    let records = Records::open(&[folder.path()], LIMITS).unwrap();
    let total = records.bytes_total();
    let counter = records.counter();
    let Some(Record::Document(document)) = Records::open(&[path("a.txt")], LIMITS).unwrap().next() else { panic!() };
    assert_eq!((document.source.as_str(), document.id.as_str()), ("a", "a.txt"));
    records.for_each(drop);
    assert!(counter.load(std::sync::atomic::Ordering::Relaxed) >= total - 2, "what is too large is not read to its end");
    assert!(Records::open(&[PathBuf::from("/nonexistent")], LIMITS).is_err());
}

#[test]
fn parquet_rows_are_documents() {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { required binary text (UTF8); optional binary url (UTF8); required int64 score; optional binary html; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let strings = |values: &[&str]| values.iter().map(|v| ByteArray::from(*v)).collect::<Vec<_>>();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&strings(&["one", "two"]), None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&strings(&["http://a.org"]), Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[3, 4], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[], Some(&[0, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let bytes = writer.into_inner().unwrap();
    check("a.parquet", &bytes, &["1 text one", "2 text two"]);
    check("cut.parquet", &bytes[..bytes.len() - 9], &["cut.parquet broken"]);
    check("empty.parquet", b"", &["empty.parquet empty"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, &bytes).unwrap();
    let Some(Record::Document(document)) = Records::open(&[path], LIMITS).unwrap().next() else { panic!() };
    assert_eq!((document.url.as_deref(), document.score), (Some("http://a.org"), Some(3)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is changed in a file, its reader comes to an end and says something.
    #[test]
    fn changed_files_end_in_records_or_rows(at in 0usize..2000, byte: u8, cut in 0usize..2000, form in 0usize..4) {
        let all = [html("a"), html("b"), response("z", "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip", &gzip(b"<p>z"))].concat();
        let (name, mut bytes) = match form {
            0 => ("x.warc", all),
            1 => ("x.warc.gz", gzip(&all)),
            2 => ("x.warc.zst", zstd::encode_all(&all[..], 1).unwrap()),
            _ => ("x.jsonl", b"{\"text\": \"a\"}\n{\"html\": \"b\"}\n".repeat(20)),
        };
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(Records::open(&[path], LIMITS).unwrap().count() > 0);
    }
}
