//! Indexing and looking up English books, one thread: bytes of text a second from a JSON Lines file to a finished index, and from such a file to percentages.
//!
//! Three sizes show that the cost is linear. The books are `classic_books`; without ../shared they are replaced by words at random.

use std::path::{Path, PathBuf};

use divan::Bencher;
use divan::counter::BytesCount;
use ovid_io::Silent;
use ovid_io::documents::{Documents, JsonLinesWriter, Limits};
use ovid_overlap::{Ask, Build, Index, Read, Set, Split, measure};
use ovid_stats::Draws;

fn main() {
    divan::main();
}

const MB: usize = 1_000_000;

/// Documents of about so many bytes in all, from the `skip`-th byte on.
fn texts(skip: usize, n_bytes: usize) -> Vec<String> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/corpus/classic_books.jsonl.zst");
    let (mut texts, mut before, mut taken) = (Vec::new(), 0, 0);
    let documents: Box<dyn Iterator<Item = String>> = match Documents::open(&[corpus], Limits::default()) {
        Ok(documents) => Box::new(documents.map(|d| d.expect("the corpus is whole").text)),
        Err(_) => Box::new((0..).map(|d| (0..20_000).map(|i| format!("w{} ", Draws::new(d, 0).below_at(i, 50_000))).collect())),
    };
    for text in documents {
        if before < skip {
            before += text.len();
            continue;
        }
        taken += text.len();
        texts.push(text);
        if taken >= n_bytes {
            break;
        }
    }
    texts
}

fn file(folder: &Path, name: &str, texts: &[String]) -> PathBuf {
    let path = folder.join(name);
    let mut out = JsonLinesWriter::create(&path).expect("the temporary folder can be written to");
    for text in texts {
        out.write(&std::collections::BTreeMap::from([("text", text)])).expect("a string can be written");
    }
    out.finish().expect("the temporary folder can be written to");
    path
}

fn build() -> Build {
    Build { threads: 1, ..Build::default() }
}

#[divan::bench(args = [10, 30, 90], sample_count = 3, sample_size = 1)]
fn index(bencher: Bencher<'_, '_>, megabytes: usize) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let texts = texts(0, megabytes * MB);
    let training = [file(folder.path(), "training.jsonl", &texts)];
    let out = folder.path().join("index");
    bencher
        .counter(BytesCount::new(texts.iter().map(String::len).sum::<usize>()))
        .bench_local(|| build().write(&training, Split::All, &out, &Silent).expect("books can be indexed"));
}

#[divan::bench(args = [5, 20], sample_count = 3, sample_size = 1)]
fn look_up(bencher: Bencher<'_, '_>, megabytes: usize) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let training = [file(folder.path(), "training.jsonl", &texts(0, 90 * MB))];
    let out = folder.path().join("index");
    build().write(&training, Split::All, &out, &Silent).expect("books can be indexed");
    let index = Index::open(&out).expect("the index was just written");
    let texts = texts(90 * MB, megabytes * MB);
    let set = Set::new("books", vec![file(folder.path(), "set.jsonl", &texts)], Read::default());
    bencher
        .counter(BytesCount::new(texts.iter().map(String::len).sum::<usize>()))
        .bench_local(|| measure(&index, &set, Ask { threads: 1, ..Ask::default() }, &Silent).expect("books can be measured"));
}
