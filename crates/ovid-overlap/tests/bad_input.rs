//! Indexes and texts that are not what they should be: an error that names file and cause, or a row, and never a panic.

mod common;

use common::corpus;
use ovid_io::Silent;
use ovid_overlap::{Ask, Build, Index, Read, Set, Split, measure};

const TEXT: &str = "one two three four five six seven eight nine ten eleven twelve";

#[test]
fn an_index_cut_short_anywhere_is_refused() {
    let corpus = corpus(&[TEXT], &Build::default());
    let bytes = std::fs::read(corpus.index.path()).unwrap();
    let path = corpus.folder.path().join("cut");
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = Index::open(&path).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains("cut"), "{length}: {error}");
    }
}

#[test]
fn an_index_of_another_version_or_none_at_all_is_refused_with_the_reason() {
    let corpus = corpus(&[TEXT], &Build::default());
    let bytes = std::fs::read(corpus.index.path()).unwrap();
    let path = corpus.folder.path().join("other");
    let changed = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&path, bytes).unwrap();
        Index::open(&path).unwrap_err().to_string()
    };
    let error = changed("\"version\":\"1\"", "\"version\":\"7\"");
    assert!(error.contains("version \"7\"") && error.contains("index the text again"), "{error}");
    assert!(changed("ovid-overlap-index", "ovid-overlap-indeX").contains("no overlap index"));
    assert!(changed("lower-letters-numbers-1", "lower-letters-numbers-2").contains("does not know"));
    std::fs::write(&path, TEXT).unwrap();
    assert!(Index::open(&path).unwrap_err().is_bad_input());
}

/// Every byte of the segment table and of the header turned over, one by one: refused or harmless.
#[test]
fn no_changed_byte_makes_a_lookup_panic() {
    let corpus = corpus(&[TEXT, "a b c d e f g h i j"], &Build::default());
    let bytes = std::fs::read(corpus.index.path()).unwrap();
    let path = corpus.folder.path().join("changed");
    let set = corpus.set(&[TEXT]);
    for at in (0..bytes.len()).step_by(31) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x81;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(index) = Index::open(&path) {
            let _ = measure(&index, &set, Ask { n_worst: 1, spans: true, distinct: true, threads: 1 }, &Silent);
        }
    }
}

#[test]
fn text_that_is_not_utf8_ends_the_work_or_is_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("texts");
    std::fs::create_dir(&training).unwrap();
    std::fs::write(training.join("a.txt"), TEXT).unwrap();
    std::fs::write(training.join("b.txt"), b"one two\nthree \xff four").unwrap();
    std::fs::write(training.join("c.txt"), "").unwrap();
    std::fs::write(training.join("d.jsonl.zst"), b"\x28\xb5\x2f\xfd cut").unwrap();
    std::fs::write(training.join("e.txt"), "a b c d e f g h i").unwrap();
    let out = folder.path().join("index");
    let build = Build::default();
    let error = build.write(&[training.clone()], Split::All, &out, &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("b.txt' line 2: not UTF-8"), "{error}");
    assert!(!out.exists());
    let built = Build { keep_going: true, ..build }.write(&[training], Split::All, &out, &Silent).unwrap();
    assert_eq!((built.index.n_documents, built.n_too_short, built.left_out.len()), (3, 1, 2));
    assert!(built.left_out[0].contains("b.txt") && built.left_out[1].contains("d.jsonl.zst"), "{:?}", built.left_out);
}

#[test]
fn nothing_to_index_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("short.txt");
    std::fs::write(&training, "too short").unwrap();
    let error = Build::default().write(&[training], Split::All, &folder.path().join("index"), &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("no document of 8 words"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_line_of_50_mb_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let training = folder.path().join("long.txt");
    let text: String = (0..6_500_000).map(|i| format!("w{} ", i % 1_000_003)).collect();
    assert!(text.len() > 50_000_000);
    std::fs::write(&training, &text).unwrap();
    let out = folder.path().join("index");
    let built = Build::default().write(std::slice::from_ref(&training), Split::All, &out, &Silent).unwrap();
    assert_eq!((built.index.n_documents, built.index.n_grams, built.index.distinct), (1, 6_499_993, 1_000_003));
    let set = Set::new("long", vec![training], Read::default());
    let measured = measure(&Index::open(&out).unwrap(), &set, Ask::default(), &Silent).unwrap();
    assert_eq!(measured.figures.overlap_percent, Some(100.0));
}

#[test]
fn samples_of_two_models_are_no_set() {
    let corpus = corpus(&[TEXT], &Build::default());
    let path = corpus.folder.path().join("two.jsonl");
    let line = |sha256: &str| format!("{{\"text\": \"x\", \"model\": {{\"name\": \"m\", \"sha256\": \"{sha256}\"}}}}\n");
    std::fs::write(&path, line("aa") + &line("aa")).unwrap();
    let set = Set::new("samples", vec![path.clone()], Read::default());
    let measured = measure(&corpus.index, &set, Ask::default(), &Silent).unwrap();
    assert_eq!(measured.model.map(|m| m.sha256).as_deref(), Some("aa"));
    std::fs::write(&path, line("aa") + &line("bb")).unwrap();
    let error = measure(&corpus.index, &set, Ask::default(), &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("line 2"), "{error}");
}
