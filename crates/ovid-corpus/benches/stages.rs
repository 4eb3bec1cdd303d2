//! Each text stage alone, one thread: `cargo bench -p ovid-corpus --bench stages`. The text is some 20 MB of the shared corpus where it is there, else invented prose.

#![allow(missing_docs)]

use std::path::Path;

use divan::Bencher;
use divan::counter::BytesCount;
use ovid_corpus::clean::{LanguageRule, Quality, RepairRule, RepeatedLinesRule, Stages, WikipediaRule};
use ovid_corpus::config::StageRule;
use ovid_corpus::{Document, decode, near};
use ovid_io::documents::{Documents, Limits};

fn main() {
    divan::main();
}

fn documents() -> Vec<Document> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/corpus");
    let mut all = Vec::new();
    for name in ["us_gov_web", "openstax", "ud_ewt"] {
        let Ok(found) = Documents::open(&[corpus.join(format!("{name}.jsonl.zst"))], Limits::default()) else { continue };
        let document = |d: ovid_io::documents::Document| Document {
            text: d.text,
            source: d.source,
            id: d.id,
            url: Some("http://example.org/page".into()),
            ..Document::default()
        };
        all.extend(found.filter_map(Result::ok).map(document));
    }
    if all.is_empty() {
        let line = "It is a truth universally acknowledged, that the text of a page of the web is not long, and that it has lines.\n";
        all = (0..4000).map(|i| Document { text: format!("{i} {}", line.repeat(45)), ..Document::default() }).collect();
    }
    all
}

fn run(bencher: Bencher<'_, '_>, rule: StageRule) {
    let documents = documents();
    let n_bytes: usize = documents.iter().map(|d| d.text.len()).sum();
    let stages = Stages::new([&rule]).expect("no list of links is read");
    bencher
        .counter(BytesCount::new(n_bytes))
        .with_inputs(|| documents.clone())
        .bench_values(|documents| documents.into_iter().map(|d| stages.apply(d)).collect::<Vec<_>>());
}

#[divan::bench(sample_count = 10)]
fn repair(bencher: Bencher<'_, '_>) {
    run(bencher, StageRule::Repair(RepairRule::default()));
}

#[divan::bench(sample_count = 10)]
fn language(bencher: Bencher<'_, '_>) {
    run(bencher, StageRule::Language(LanguageRule::default()));
}

#[divan::bench(sample_count = 10)]
fn wikipedia_domains(bencher: Bencher<'_, '_>) {
    run(bencher, StageRule::Wikipedia(WikipediaRule::default()));
}

#[divan::bench(sample_count = 10)]
fn quality(bencher: Bencher<'_, '_>) {
    run(bencher, StageRule::Quality(Quality::default()));
}

#[divan::bench(sample_count = 10)]
fn repeated_lines(bencher: Bencher<'_, '_>) {
    run(bencher, StageRule::RepeatedLines(RepeatedLinesRule::default()));
}

#[divan::bench(sample_count = 10)]
fn exact_hash(bencher: Bencher<'_, '_>) {
    let documents = documents();
    let n_bytes: usize = documents.iter().map(|d| d.text.len()).sum();
    bencher.counter(BytesCount::new(n_bytes)).bench(|| documents.iter().map(|d| near::exact_hash(&d.text)).fold(0, |a, b| a ^ b));
}

#[divan::bench(sample_count = 10)]
fn decode_utf8(bencher: Bencher<'_, '_>) {
    let documents = documents();
    let n_bytes: usize = documents.iter().map(|d| d.text.len()).sum();
    bencher
        .counter(BytesCount::new(n_bytes))
        .bench(|| documents.iter().map(|d| decode::decode(d.text.as_bytes(), None).text.len()).sum::<usize>());
}

#[divan::bench(sample_count = 10)]
fn decode_windows_1252(bencher: Bencher<'_, '_>) {
    let spoilt = |d: &Document| encoding_rs::WINDOWS_1252.encode(&d.text).0.into_owned();
    let pages: Vec<Vec<u8>> = documents().iter().map(spoilt).collect();
    let n_bytes: usize = pages.iter().map(Vec::len).sum();
    bencher.counter(BytesCount::new(n_bytes)).bench(|| pages.iter().map(|page| decode::decode(page, None).text.len()).sum::<usize>());
}

#[divan::bench(sample_count = 5)]
fn minhash(bencher: Bencher<'_, '_>) {
    let documents = documents();
    let n_bytes: usize = documents.iter().map(|d| d.text.len()).sum();
    bencher.counter(BytesCount::new(n_bytes)).bench(|| documents.iter().filter_map(|d| near::signature(&d.text)).count());
}
