//! Encoding and training on English books, and the texts that are worst for a merge loop.
//!
//! The books are the first 33.5 MB of `classic_books` in pieces of 4 KB (what docs/benchmarks.md measures the peers on), encoded
//! with GPT-2's vocabulary; without ../shared they are replaced by this file, over and over, and a vocabulary trained on it.

use std::path::Path;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ovid_bpe::Tokenizer;
use ovid_io::Silent;
use ovid_io::documents::{Documents, Limits};

const BOOK_BYTES: usize = 33_500_000;
const PIECE_BYTES: usize = 4096;

fn main() {
    divan::main();
}

fn shared() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

fn books() -> Vec<u8> {
    let mut text = Vec::with_capacity(BOOK_BYTES + (4 << 20));
    if let Ok(documents) = Documents::open(&[shared().join("corpus/classic_books.jsonl.zst")], Limits::default()) {
        for document in documents {
            text.extend_from_slice(document.expect("the corpus is whole").text.as_bytes());
            if text.len() >= BOOK_BYTES {
                break;
            }
        }
    } else {
        text.extend(include_bytes!("speed.rs").iter().cycle().take(BOOK_BYTES));
    }
    text.truncate(BOOK_BYTES);
    text
}

fn gpt2() -> Tokenizer {
    Tokenizer::load(&shared().join("tokenizer")).unwrap_or_else(|_| train(1, 2000, &books()[..1 << 20]))
}

fn train(threads: usize, vocab_size: usize, text: &[u8]) -> Tokenizer {
    ovid_bpe::train(text.chunks(PIECE_BYTES), vocab_size, threads, &Silent).expect("books can be learnt from")
}

#[divan::bench(args = [1, 2], sample_count = 10, sample_size = 1)]
fn encode_books(bencher: Bencher<'_, '_>, threads: usize) {
    let (text, tokenizer) = (books(), gpt2());
    let pieces: Vec<&[u8]> = text.chunks(PIECE_BYTES).collect();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| tokenizer.encode_batch(black_box(&pieces), threads));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn split_books(bencher: Bencher<'_, '_>) {
    let text = books();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| ovid_bpe::words(black_box(&text)).count());
}

#[divan::bench(args = [1, 2], sample_count = 3, sample_size = 1)]
fn train_8192_on_books(bencher: Bencher<'_, '_>, threads: usize) {
    let text = books();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| train(threads, 8192, black_box(&text)));
}

#[divan::bench(args = ["a", " ", "\u{1F642}", "random"], sample_count = 3, sample_size = 1)]
fn encode_one_megabyte(bencher: Bencher<'_, '_>, unit: &str) {
    let tokenizer = gpt2();
    let mut state = 1_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 56) as u8
    });
    let text: Vec<u8> = if unit == "random" { random.take(1 << 20).collect() } else { unit.bytes().cycle().take(1 << 20).collect() };
    bencher.counter(BytesCount::new(text.len())).bench_local(|| tokenizer.encode(black_box(&text)));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn load_gpt2() -> Tokenizer {
    gpt2()
}
