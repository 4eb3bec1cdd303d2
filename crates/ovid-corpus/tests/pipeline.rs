//! `corpus.toml` to a corpus: every stage's rows, the split, resumption, hostile input.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{contents, document, documents, draw, edited, lines, prose, run, tokenizer, write_documents};
use ovid_corpus::near::{near, signature};
use ovid_corpus::{Document, Error, Row};
use ovid_io::{Observer, Progress, Silent};

const ALL: &str = "
[[input]]
paths = ['in.jsonl']
[[stage]]
do = 'repair'
[[stage]]
do = 'wikipedia'
articles = ['articles.jsonl']
[[stage]]
do = 'language'
[[stage]]
do = 'quality'
[[stage]]
do = 'repeated-lines'
[[stage]]
do = 'exact-duplicates'
[[stage]]
do = 'near-duplicates'
";

/// 120 texts, with near-copies of every third, and one document for each rule.
fn inputs(folder: &Path) {
    let mut all = Vec::new();
    for i in 0..120u64 {
        let text = prose(i, 120 + draw(5, i, 200) as usize);
        if i % 3 == 0 {
            all.push(document("copies", i, &format!("http://c{}.org/{i}", i % 7), edited(&text, i, 20)));
        }
        all.push(document("texts", i, &format!("http://t{}.org/{i}", i % 5), text));
    }
    all.push(document("texts", "twice", "http://t1.org/twice", prose(3, 120 + draw(5, 3, 200) as usize)));
    all.push(document("texts", "near", "http://t1.org/near", prose(4, 120 + draw(5, 4, 200) as usize) + " And then there was one more."));
    all.push(document("texts", "wiki", "https://en.wikipedia.org/wiki/X", prose(500, 200)));
    all.push(document("texts", "mirror", "http://mirror.org/X", edited(&prose(501, 300), 1, 100)));
    all.push(document("texts", "short", "http://t2.org/short", "The short text of the page.".into()));
    all.push(document("texts", "deutsch", "http://t2.org/de", "Das ist ein deutscher Satz, der hier nichts verloren hat. ".repeat(20)));
    let mut lossy = document("texts", "lines", "http://t3.org/lines", prose(600, 300));
    lossy.text.push_str("\nShare this page with all of your friends and colleagues.\nThe end of the text is this.\nShare this page with all of your friends and colleagues.\r\n");
    all.push(lossy);
    write_documents(&folder.join("in.jsonl"), &all);
    write_documents(
        &folder.join("articles.jsonl"),
        &[document("wikipedia", "X", "", prose(501, 300)), document("wikipedia", "Y", "", prose(502, 300))],
    );
    std::fs::write(folder.join("corpus.toml"), ALL).unwrap();
}

#[test]
fn every_document_is_kept_or_has_a_row_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let out = folder.path().join("out");
    let built = run(&folder.path().join("corpus.toml"), &out, Some(&tokenizer()), 2, &Silent).unwrap();
    let rows: Vec<Row> = lines(&out.join("dropped.jsonl.zst"));
    let why: BTreeMap<&str, String> = rows.iter().map(|r| (r.id.as_str(), format!("{}: {}", r.stage, r.reason))).collect();
    let expected = [
        ("twice", "exact-duplicates: exact-duplicate"),
        ("near", "near-duplicates: near-duplicate"),
        ("wiki", "wikipedia: domain"),
        ("mirror", "wikipedia: like-article"),
        ("short", "quality: few-words"),
        ("deutsch", "language: other-language"),
    ];
    for (id, expected) in expected {
        assert_eq!(why.get(id).map(String::as_str), Some(expected), "{id}");
    }
    // A copy with few words changed may be a near-duplicate; nothing else is left out.
    let others = why.iter().filter(|(id, _)| !expected.iter().any(|(other, _)| other == *id));
    assert!(others.clone().count() < 20 && others.clone().all(|(_, why)| why == "near-duplicates: near-duplicate"), "{why:?}");
    assert!(rows.iter().find(|r| r.id == "twice").unwrap().detail == "texts/3");
    assert!(rows.iter().find(|r| r.id == "mirror").unwrap().detail.ends_with("% like wikipedia/X"));
    assert_eq!(built.train.n_documents + built.validation.n_documents + rows.len() as u64, 167);
    let all: Vec<Document> = [documents(&out, "train"), documents(&out, "validation")].concat();
    let lossy = all.iter().find(|d| d.id == "lines").unwrap();
    assert_eq!(lossy.text.matches("Share this page").count(), 1);
    assert_eq!(lossy.touched.iter().map(|t| t.stage.as_str()).collect::<Vec<_>>(), ["repair", "repeated-lines"]);
    assert!(all.iter().all(|d| d.place.file.ends_with("in.jsonl") && d.place.record > 0 && d.language.as_deref() == Some("eng")));
    let stages: Vec<&str> = built.stages.iter().map(|s| s.stage.as_str()).collect();
    assert_eq!(
        stages,
        [
            "read",
            "extract",
            "repair",
            "wikipedia",
            "wikipedia",
            "language",
            "quality",
            "repeated-lines",
            "exact-duplicates",
            "near-duplicates"
        ]
    );
    assert!(!out.join("work").exists());
}

#[test]
fn no_near_copy_crosses_the_split() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let out = folder.path().join("out");
    run(&folder.path().join("corpus.toml"), &out, None, 1, &Silent).unwrap();
    let (train, validation) = (documents(&out, "train"), documents(&out, "validation"));
    assert!(train.len() > 100 && validation.len() >= 2, "{} {}", train.len(), validation.len());
    // Every source has documents on both sides.
    for source in ["texts", "copies"] {
        assert!(train.iter().any(|d| d.source == source) && validation.iter().any(|d| d.source == source), "{source}");
    }
    // Found anew, from the texts as they are written.
    let signatures: Vec<_> = train.iter().chain(&validation).map(|d| signature(&d.text)).collect();
    let clusters = near(&signatures, 1.0, 0.5).cluster;
    let (of_train, of_validation) = clusters.split_at(train.len());
    assert!(clusters.iter().collect::<HashSet<_>>().len() < clusters.len() - 10, "the copies are clusters");
    assert!(of_validation.iter().all(|c| !of_train.contains(c)));
}

/// Stops after so many signs of progress.
struct Impatient(AtomicU64);

impl Observer for Impatient {
    fn progress(&self, _: Progress<'_>) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn a_run_that_is_stopped_again_and_again_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let (toml, whole, cut) = (folder.path().join("corpus.toml"), folder.path().join("whole"), folder.path().join("cut"));
    let tokenizer = tokenizer();
    run(&toml, &whole, Some(&tokenizer), 1, &Silent).unwrap();
    let mut n_stopped = 0;
    for patience in 1.. {
        match run(&toml, &cut, Some(&tokenizer), 2, &Impatient(patience.into())) {
            Ok(_) => break,
            Err(Error::Files(ovid_io::Error::Cancelled)) => n_stopped += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(n_stopped > 3, "{n_stopped}");
    assert_eq!(contents(&cut), contents(&whole));
}

#[test]
fn a_folder_with_another_corpus_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let (toml, out) = (folder.path().join("corpus.toml"), folder.path().join("out"));
    let built = run(&toml, &out, None, 1, &Silent).unwrap();
    assert_eq!(run(&toml, &out, None, 1, &Silent).unwrap(), built);
    std::fs::write(&toml, ALL.replace("articles = ['articles.jsonl']", "")).unwrap();
    let error = run(&toml, &out, None, 1, &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("another configuration"), "{error}");
}

#[test]
fn parquet_holds_what_json_lines_hold() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let (toml, json, parquet) = (folder.path().join("corpus.toml"), folder.path().join("json"), folder.path().join("parquet"));
    let tokenizer = tokenizer();
    run(&toml, &json, Some(&tokenizer), 1, &Silent).unwrap();
    std::fs::write(&toml, format!("{ALL}[output]\ndocuments = 'parquet'\n")).unwrap();
    run(&toml, &parquet, Some(&tokenizer), 1, &Silent).unwrap();
    let shards = |out: &Path| contents(&out.join("shards"));
    assert_eq!(shards(&parquet), shards(&json));
    assert!(parquet.join("documents/train-00000.parquet").is_file());
}

#[test]
fn bad_input_is_a_row_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("in").join(name);
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let good = document("s", "good", "http://a.org", prose(1, 200));
    let line = serde_json::to_string(&good).unwrap();
    std::fs::write(at("a.jsonl"), format!("{{\"text\": \"\u{fffd}\"\n{line}\n").replace('\u{fffd}', "x")).unwrap();
    std::fs::write(at("b.jsonl"), [b"{\"text\": \"caf\xe9\"}\n".as_slice(), line.as_bytes()].concat()).unwrap();
    std::fs::write(at("c.txt"), "x".repeat(50 << 20)).unwrap();
    std::fs::write(at("d.txt"), "").unwrap();
    let packed = zstd::encode_all(format!("{line}\n").repeat(3000).as_bytes(), 3).unwrap();
    std::fs::write(at("e.jsonl.zst"), &packed[..packed.len() - 20]).unwrap();
    std::fs::write(at("f.jsonl"), format!("{{\"text\": \"{}\"}}\n{line}\n", "y".repeat(50 << 20))).unwrap();
    std::fs::write(at("g.jsonl"), &line).unwrap();
    let toml = folder.path().join("corpus.toml");
    std::fs::write(&toml, "[[input]]\npaths = ['in']\n[[stage]]\ndo = 'repair'\n[[stage]]\ndo = 'exact-duplicates'\n").unwrap();
    let out = folder.path().join("out");
    let built = run(&toml, &out, None, 2, &Silent).unwrap();
    assert_eq!(built.train.n_documents + built.validation.n_documents, 1);
    let rows: Vec<Row> = lines(&out.join("dropped.jsonl.zst"));
    let count = |file: &str, reason: &str| rows.iter().filter(|r| r.place.file.ends_with(file) && r.reason == reason).count();
    assert_eq!(count("a.jsonl", "broken"), 1);
    assert_eq!(count("b.jsonl", "broken"), 1);
    assert_eq!(count("c.txt", "too-large"), 1);
    assert_eq!(count("d.txt", "empty"), 1);
    assert_eq!(count("e.jsonl.zst", "cut-off"), 1);
    assert_eq!(count("f.jsonl", "too-large"), 1);
    assert_eq!(count("g.jsonl", "exact-duplicate"), 1);
}
