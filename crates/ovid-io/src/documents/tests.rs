use std::io::Write as _;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    // As the `zstd` command does; without it, damage to the text itself cannot be seen.
    out.include_checksum(true).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// What a file of this name and content gives: `source/id@line:text`, or the error after the folder's name.
fn read(name: &str, content: &[u8], limit: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let documents = Documents::open(&[path], Limits { document_bytes: limit }).unwrap();
    let show = |item: Result<Document, Error>| match item {
        Ok(d) => format!("{}/{}@{}:{}", d.source, d.id, d.line, d.text),
        Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
    };
    documents.map(show).collect()
}

fn check(name: &str, content: &[u8], expected: &[&str]) {
    assert_eq!(read(name, content, 1000), expected, "{name}");
}

const TWO_LINES: &str = "{\"text\":\"a\u{2028}b\",\"source\":\"s\",\"id\":\"i\"}\n{\"text\":\"c\",\"id\":7,\"more\":[1]}";
const TWO: [&str; 2] = ["s/i@1:a\u{2028}b", "d/7@2:c"];

#[test]
fn json_lines_are_read_however_they_are_packed() {
    check("d.jsonl", TWO_LINES.as_bytes(), &TWO);
    check("d.ndjson", format!("\u{feff}{TWO_LINES}\r\n\n").as_bytes(), &TWO);
    check("d.jsonl.gz", &gzip(TWO_LINES.as_bytes()), &TWO);
    check("d.jsonl.zst", &zstd(TWO_LINES.as_bytes()), &TWO);
    let (one, two) = TWO_LINES.as_bytes().split_at(20);
    check("d.jsonl.gz", &[gzip(one), gzip(two)].concat(), &TWO);
    check("d.jsonl.zst", &[zstd(one), zstd(two)].concat(), &TWO);
    check("d.jsonl", b"{\"text\":\"x\"}\n", &["d/1@1:x"]);
    check("d.jsonl", b"", &[]);
}

#[test]
fn any_other_extension_is_one_text() {
    check("a novel.txt", b"one\ntwo\n", &["a novel/a novel.txt@1:one\ntwo\n"]);
    check("n.md.zst", &zstd(b"# x"), &["n/n.md.zst@1:# x"]);
    check("plain", b"", &["plain/plain@1:"]);
    check("bad.txt", b"a\nb\xff", &["'bad.txt' line 2: not UTF-8 text (byte 3 of the text)"]);
}

#[test]
fn errors_name_file_and_line_and_end_the_stream() {
    let check_error = |lines: &str, expected: &str| check("d.jsonl", lines.as_bytes(), &["d/1@1:x", expected]);
    check_error("{\"text\":\"x\"}\n{\"test\":\"y\"}\n{\"text\":\"z\"}", "'d.jsonl' line 2: missing field `text` (column 12)");
    check_error("{\"text\":\"x\"}\n\n{\"text\":5}\n", "'d.jsonl' line 3: invalid type: integer `5`, expected a string (column 9)");
    check_error("{\"text\":\"x\"}\n{\"text\":", "'d.jsonl' line 2: EOF while parsing a value (column 8)");
    check("d.jsonl", b"{\"text\":\"\xff\"}", &["'d.jsonl' line 1: invalid unicode code point (column 10)"]);
}

#[test]
fn a_line_is_bounded() {
    let line = "{\"text\":\"0123456789\"}";
    for ending in ["", "\n", "\n\n"] {
        assert_eq!(read("d.jsonl", format!("{line}{ending}").as_bytes(), line.len()), ["d/1@1:0123456789"]);
        let error = read("d.jsonl", format!("{line}{ending}").as_bytes(), line.len() - 1);
        assert_eq!(error, ["'d.jsonl' line 1: the line is longer than the limit of 20 bytes"]);
    }
    assert_eq!(read("t.txt", b"12345", 4), ["'t.txt': the text is longer than the limit of 4 bytes"]);
    assert_eq!(read("t.txt", b"1234", 4), ["t/t.txt@1:1234"]);
    // A packed file that unpacks to much more than it weighs costs the limit and no more.
    assert_eq!(read("b.jsonl.gz", &gzip(&vec![b' '; 1 << 24]), 1 << 10).len(), 1);
}

#[test]
fn a_cut_or_damaged_stream_is_an_error_wherever_it_is() {
    let text = TWO_LINES.as_bytes();
    for (name, packed) in [("d.jsonl.gz", gzip(text)), ("d.jsonl.zst", zstd(text))] {
        for n in 0..packed.len() {
            let items = read(name, &packed[..n], 1000);
            let last = items.last().unwrap_or_else(|| panic!("{name} cut to {n} bytes gave no error"));
            assert!(last.starts_with(&format!("'{name}' at byte ")) && last.contains("the compressed stream is "), "{name} {n}: {last}");
            let place: usize = last.split(' ').nth(3).unwrap().trim_end_matches(':').parse().unwrap();
            assert!(place <= n, "{last}");
        }
        for n in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[n] ^= 0x10;
            // Some bits, such as a gzip file's time, mean nothing for the text: then it is the same.
            let items = read(name, &damaged, 1000);
            assert!(items == TWO || items.last().is_some_and(|last| last.starts_with(&format!("'{name}' "))), "{name} {n}: {items:?}");
        }
        let mut wrong = packed.clone();
        wrong[0] ^= 0xff;
        assert!(read(name, &wrong, 1000)[0].contains("the compressed stream is broken"), "{name}");
    }
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    for (name, text) in [("c.txt", "3"), ("b/z.txt", "2"), ("a.jsonl", "{\"text\":\"1\"}"), (".hidden", "0")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut documents = Documents::open(&[folder.path()], Limits::default()).unwrap();
    let texts: Vec<_> = documents.by_ref().map(|d| d.unwrap().text).collect();
    assert_eq!(texts, ["1", "2", "3"]);
    assert_eq!(documents.bytes_read(), documents.bytes_total());
    assert!(Documents::open(&[folder.path().join("absent")], Limits::default()).unwrap_err().to_string().contains("absent'"));
}

#[test]
fn standard_input_is_read_too() {
    /// A pipe whose writer is slow.
    struct Drops(std::io::Cursor<Vec<u8>>);
    impl std::io::Read for Drops {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let n = buf.len().min(1);
            self.0.read(&mut buf[..n])
        }
    }
    let lines = b"{\"text\":\"x\"}\n{\"text\":\"y\"}\n";
    let novel = "{He} said.\n".as_bytes();
    let cases: [(Vec<u8>, &[&str]); 7] = [
        (lines.to_vec(), &["x", "y"]),
        (zstd(lines), &["x", "y"]),
        (gzip(lines), &["x", "y"]),
        (novel.to_vec(), &["{He} said.\n"]),
        (zstd(novel), &["{He} said.\n"]),
        (b"{".to_vec(), &["{"]),
        (Vec::new(), &[""]),
    ];
    for (bytes, expected) in cases {
        let mut documents = Documents::open(&[""; 0], Limits::default()).unwrap();
        let input = Box::new(Drops(std::io::Cursor::new(bytes)));
        documents.current = Some(Reading::told_by_its_beginning(STDIN, input, Limits::default(), Arc::default()).unwrap());
        let documents: Vec<_> = documents.map(Result::unwrap).collect();
        assert_eq!(documents.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), expected);
        assert!(documents.iter().all(|d| d.source == "standard input"));
    }
    assert_eq!(list(&["-"]).unwrap(), [Path::new("-")]);
}

#[test]
fn the_split_is_the_documented_function() {
    // Reference: Python, int.from_bytes(sha256(b"s\0" + str(i).encode()).digest()[:8], "big") % 50 == 0.
    let held_out: Vec<_> = (0..200).filter(|i| is_validation("s", &i.to_string())).collect();
    assert_eq!(held_out, [11, 78, 83, 120, 136, 140, 147, 183]);
}
