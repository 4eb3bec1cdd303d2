//! `ovid corpus` as a user runs it: links, build, report, remove; and a build that is killed.

#![cfg(unix)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn ovid(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ovid")).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A text that the filters take for prose; no two are alike.
fn prose(seed: u64, n_words: u64) -> String {
    const WORDS: [&str; 32] = [
        "the", "of", "and", "to", "that", "with", "have", "be", "river", "stone", "letter", "winter", "garden", "answer", "window",
        "market", "silver", "morning", "question", "harbour", "teacher", "mountain", "candle", "village", "journey", "kitchen", "thunder",
        "library", "sailor", "orchard", "bridge", "evening",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut text = String::new();
    for i in 0..n_words {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = if state.is_multiple_of(3) {
            format!("{}{}", WORDS[(state >> 8) as usize % 32], state >> 50)
        } else {
            WORDS[(state >> 8) as usize % 32].to_owned()
        };
        let _ = write!(text, "{word}{}", if i % 12 == 11 { ".\n" } else { " " });
    }
    text + "The end."
}

fn write_inputs(folder: &Path, n_documents: u64, n_words: u64) {
    let mut lines = String::new();
    for i in 0..n_documents {
        // Every tenth is nearly the one before.
        let text = if i % 10 == 9 { prose(i - 1, n_words) + " And then some more." } else { prose(i, n_words) };
        let _ =
            writeln!(lines, "{}", serde_json::json!({ "text": text, "source": "s", "id": i, "url": format!("http://h{}.org/{i}", i % 9) }));
    }
    std::fs::write(folder.join("in.jsonl"), lines).unwrap();
    let toml = "[[input]]\npaths = ['in.jsonl']\n[[stage]]\ndo = 'repair'\n[[stage]]\ndo = 'quality'\noff = ['few-letters']\n[[stage]]\ndo = 'exact-duplicates'\n[[stage]]\ndo = 'near-duplicates'\n[output]\ntokenizer = 'ovid-mini'\n";
    std::fs::write(folder.join("corpus.toml"), toml).unwrap();
}

fn digest(folder: &Path) -> String {
    ovid_io::digest::sha256_tree(folder, &ovid_io::Silent).unwrap()
}

#[test]
fn a_build_that_is_killed_again_and_again_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_inputs(folder.path(), 1500, 2500);
    let built = ovid(folder.path(), &["corpus", "build", "corpus.toml", "-o", "whole", "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&stdout(&built)).unwrap();
    assert!(whole["train"]["n_documents"].as_u64().unwrap() > 1200, "{whole}");
    let mut n_killed = 0;
    for attempt in 0.. {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ovid"))
            .args(["corpus", "build", "corpus.toml", "-o", "cut", "--quiet"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + 70 * attempt));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        n_killed += 1;
    }
    assert!(n_killed >= 2, "{n_killed}");
    assert_eq!(digest(&folder.path().join("cut")), digest(&folder.path().join("whole")));
}

#[test]
fn links_build_report_remove() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::write(dir.join("links.tsv"), "url\tscore\nhttp://h1.org/1\t5\nhttp://h2.org/2\t2\nhttp://reddit.com/r/x\t9\n").unwrap();
    let kept = stdout(&ovid(dir, &["corpus", "links", "links.tsv", "-o", "kept.jsonl", "--json"]));
    assert_eq!(kept.trim(), r#"{"n_lines":3,"n_kept":1,"left_out":{"low-score":1,"not-outbound":1}}"#);
    write_inputs(dir, 60, 200);
    let table = stdout(&ovid(dir, &["corpus", "build", "corpus.toml", "-o", "out"]));
    assert!(table.contains("near-duplicates"), "{table}");
    let report = stdout(&ovid(dir, &["corpus", "report", "out", "-o", "report"]));
    assert!(report.contains("near-duplicates: near-duplicate") && report.contains("h1.org"), "{report}");
    for file in ["domains.csv", "lengths.csv", "lengths.svg", "languages.csv", "drops.csv", "drops.svg"] {
        assert!(dir.join("report").join(file).is_file(), "{file}");
    }
    let removed = stdout(&ovid(dir, &["corpus", "remove", "out", "--domain", "h1.org"]));
    assert!(removed.contains("removed s/1 http://h1.org/1") && removed.contains("out/shards: "), "{removed}");
    let again = ovid(dir, &["corpus", "remove", "out", "--domain", "h1.org"]);
    assert_eq!(again.status.code(), Some(2));
    // What is left can be trained on.
    let train = [
        "train",
        "--data",
        "out/shards",
        "--out",
        "run",
        "--steps",
        "1",
        "--n-layer",
        "1",
        "--n-head",
        "1",
        "--n-embd",
        "8",
        "--n-ctx",
        "32",
        "--batch-size",
        "1",
    ];
    let trained = ovid(dir, &train);
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    for arguments in [&["corpus", "build", "absent.toml", "-o", "x"][..], &["corpus", "remove", "out"], &["corpus", "report", "run"]] {
        assert_eq!(ovid(dir, arguments).status.code(), Some(2), "{arguments:?}");
    }
}
