//! What was taken down is gone: from the documents, from the shards, and from the folders beside them.

mod common;

use std::path::Path;

use common::{contents, document, documents, edited, prose, run, tokenizer, write_documents};
use ovid_bpe::Tokenizer;
use ovid_corpus::remove::{Asked, Removal, remove};
use ovid_corpus::report::report;
use ovid_io::shards::Manifest;
use ovid_io::{Observer, Progress, Silent};

fn corpus(folder: &Path, tokenizer: &Tokenizer, form: &str) -> std::path::PathBuf {
    let mut all: Vec<_> = (0..150u64).map(|i| document("texts", i, &format!("http://www.t{}.org/{i}", i % 10), prose(i, 80))).collect();
    // A copy to the byte from elsewhere stays where it is when the other goes.
    all.push(document("texts", "copy", "http://copy.org/", prose(5, 80)));
    all.push(document("others", "alone", "http://alone.org/", edited(&prose(700, 100), 1, 5)));
    write_documents(&folder.join("in.jsonl"), &all);
    let toml = folder.join("corpus.toml");
    std::fs::write(&toml, format!("[[input]]\npaths = ['in.jsonl']\n[[stage]]\ndo = 'repair'\n[output]\ndocuments = '{form}'\n")).unwrap();
    let out = folder.join(form);
    run(&toml, &out, Some(tokenizer), 1, &Silent).unwrap();
    out
}

/// How often a text's tokens stand between two end-of-text tokens in a folder of shards.
fn times_in_shards(folder: &Path, tokenizer: &Tokenizer, text: &str) -> usize {
    let manifest = Manifest::load(folder).unwrap();
    manifest.verify(folder, &Silent).unwrap();
    let wanted = tokenizer.encode(text.as_bytes());
    let mut n = 0;
    for shard in &manifest.shards {
        let array = manifest.open_shard(folder, shard).unwrap();
        let mut ids = vec![0; array.len()];
        array.ids().copy_to(0, &mut ids);
        let documents: Vec<&[u32]> = ids.split_inclusive(|id| Some(*id) == manifest.end_of_text).map(|d| &d[..d.len() - 1]).collect();
        assert_eq!(documents.len() as u64, shard.n_documents);
        n += documents.iter().filter(|d| **d == wanted.as_slice()).count();
    }
    let counted: u64 = manifest.sources.values().map(|s| s.n_train_tokens + s.n_validation_tokens).sum();
    assert_eq!(counted, manifest.shards.iter().map(|s| s.n_tokens).sum::<u64>());
    n
}

#[test]
fn what_is_taken_down_is_gone_from_documents_and_shards() {
    let tokenizer = tokenizer();
    for form in ["json-lines", "parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let out = corpus(folder.path(), &tokenizer, form);
        // Shards of the same documents elsewhere.
        let other = folder.path().join("other");
        for (name, bytes) in contents(&out.join("shards")) {
            let path = other.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let shards = out.join("shards");
        assert_eq!(times_in_shards(&shards, &tokenizer, &prose(5, 80)), 2);
        let asked = Asked { urls: vec!["https://t5.org/5/".into()], domains: vec!["t3.org".into()], ids: vec!["texts/40".into()] };
        let removal = remove(&out, &asked, std::slice::from_ref(&other), "2026-01-01", &Silent).unwrap();
        assert_eq!(removal.documents.len(), 17, "one by address, fifteen by domain, one by name");
        for folder in [&shards, &other] {
            assert_eq!(times_in_shards(folder, &tokenizer, &prose(5, 80)), 1, "the copy stays");
            for i in [40].into_iter().chain((3..150).step_by(10)) {
                assert_eq!(times_in_shards(folder, &tokenizer, &prose(i, 80)), 0, "{i}");
            }
            for i in [41, 4, 149] {
                assert_eq!(times_in_shards(folder, &tokenizer, &prose(i, 80)), 1, "{i}");
            }
        }
        assert!(removal.shards.iter().all(|s| s.n_documents == 17 && s.n_not_found == 0));
        let report = report(&out, &Silent).unwrap();
        assert_eq!(report.n_documents, 152 - 17);
        assert!(report.domains.iter().all(|d| d.name != "t3.org"));
        let record = std::fs::read_to_string(out.join("removed.jsonl")).unwrap();
        assert_eq!(serde_json::from_str::<Removal>(&record).unwrap(), removal);
        assert!(!record.contains(&prose(40, 80)[..40]), "the record holds no text");
        // A second time there is nothing left.
        assert!(remove(&out, &asked, &[], "2026-01-02", &Silent).unwrap().documents.is_empty());
        assert_eq!(std::fs::read_to_string(out.join("removed.jsonl")).unwrap(), record);
    }
}

#[test]
fn a_source_of_one_document_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = tokenizer();
    let out = corpus(folder.path(), &tokenizer, "json-lines");
    let asked = Asked { domains: vec!["alone.org".into()], ..Asked::default() };
    assert_eq!(remove(&out, &asked, &[], "", &Silent).unwrap().documents.len(), 1);
    assert!(!Manifest::load(&out.join("shards")).unwrap().sources.contains_key("others"));
    assert!(documents(&out, "").iter().all(|d| d.source != "others"));
}

/// Panics in the middle of clearing the shards: what SIGKILL leaves, since nothing of ours runs on the way out but the unlocking that the system does, too.
struct Killed;

impl Observer for Killed {
    fn progress(&self, progress: Progress<'_>) {
        assert!(progress.stage != "clearing shards", "killed");
    }
}

#[test]
fn a_takedown_that_was_cut_off_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = tokenizer();
    let out = corpus(folder.path(), &tokenizer, "json-lines");
    let first = Asked { ids: vec!["7".into()], ..Asked::default() };
    let cut = std::panic::catch_unwind(|| remove(&out, &first, &[], "2026-01-01", &Killed));
    assert!(cut.is_err());
    let second = Asked { ids: vec!["8".into()], ..Asked::default() };
    assert_eq!(remove(&out, &second, &[], "2026-01-02", &Silent).unwrap().documents[0].id, "8");
    for i in [7, 8] {
        assert_eq!(times_in_shards(&out.join("shards"), &tokenizer, &prose(i, 80)), 0);
        assert!(documents(&out, "").iter().all(|d| d.id != i.to_string()));
    }
    assert_eq!(std::fs::read_to_string(out.join("removed.jsonl")).unwrap().lines().count(), 2);
}
