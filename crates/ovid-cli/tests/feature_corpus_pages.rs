//! `ovid corpus extract` and `ovid corpus fetch` as a person runs them: the program is its own worker.

mod common;

use std::path::Path;

use common::{json, ok, run, stderr};

const ARTICLE: &str = "<html><head><title>A page</title></head><body><nav><a href='/'>Home</a></nav><article><p>It was a bright cold day in April, and the clocks were striking thirteen.</p></article></body></html>";

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let mut lines = ovid_io::documents::Lines::open(path, ovid_io::documents::Limits::default()).unwrap();
    std::iter::from_fn(|| lines.next_json().unwrap()).collect()
}

#[test]
fn extract_writes_documents_and_a_row_for_what_crashed() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("a.html"), ARTICLE).unwrap();
    std::fs::write(pages.join("b.html"), format!("<html><body><p>{}</p>", "word ".repeat(4 << 20))).unwrap();
    std::fs::write(pages.join("c.html"), "").unwrap();
    std::fs::write(pages.join("d.html"), ARTICLE).unwrap();
    let out = folder.path().join("out");
    let args = ["corpus", "extract", pages.to_str().unwrap(), "-o", out.to_str().unwrap(), "--memory", "64", "--threads", "2", "--json"];
    let report = json(&ok(&args)).remove(0);
    assert_eq!(report["n_records"], 4, "{report}");
    assert_eq!(report["dropped"], serde_json::json!({ "crashed": 1, "empty": 1 }), "{report}");
    let documents = lines(&out.join("documents/part-00000.jsonl.zst"));
    let ids: Vec<_> = documents.iter().map(|d| d["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a.html", "d.html"]);
    assert_eq!(documents[0]["text"], "It was a bright cold day in April, and the clocks were striking thirteen.");
    let rows = lines(&out.join("dropped/part-00000.jsonl.zst"));
    assert_eq!((rows[0]["id"].as_str(), rows[0]["reason"].as_str()), (Some("b.html"), Some("crashed")));
    assert!(rows[0]["detail"].as_str().unwrap().contains("memory"), "the worker's last words: {}", rows[0]);

    // The same again changes nothing; other settings are another folder's.
    assert_eq!(json(&ok(&args)).remove(0), report);
    let other = run(&["corpus", "extract", pages.to_str().unwrap(), "-o", out.to_str().unwrap(), "--focus", "recall"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("extract.json"), "{}", stderr(&other));
}

#[test]
fn a_worker_without_a_program_behind_it_ends() {
    assert_eq!(ok(&["corpus", "extract-worker"]), "");
    let help = ok(&["corpus", "--help"]);
    assert!(help.contains("extract") && !help.contains("extract-worker"), "{help}");
}

#[test]
fn fetch_asks_no_private_network() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("kept.jsonl");
    std::fs::write(&list, "{\"url\": \"http://127.0.0.1:9/\", \"score\": 3}\n").unwrap();
    let out = folder.path().join("crawl");
    let report = json(&ok(&["corpus", "fetch", list.to_str().unwrap(), "-o", out.to_str().unwrap(), "--json"])).remove(0);
    assert_eq!(report["failed"], serde_json::json!({ "private": 1 }));
    assert!(out.join("pages/part-00000.warc.gz").exists());
}
