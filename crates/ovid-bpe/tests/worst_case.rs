//! A megabyte of anything takes less than a second: one word of a megabyte, no two words alike, nothing but invalid bytes.
//!
//! What counts is the time on the processor, so that a busy machine fails nothing.

use std::time::Duration;

use ovid_bpe::Tokenizer;

const BYTES: usize = 1 << 20;

/// Processor time of this thread so far.
#[cfg(unix)]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Elsewhere the clock on the wall must do.
#[cfg(not(unix))]
fn now() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

fn check(tokenizer: &Tokenizer, name: &str, text: &[u8]) {
    let start = now();
    let ids = tokenizer.encode(text);
    let took = now().saturating_sub(start);
    println!("{name}: {} tokens in {took:?}", ids.len());
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    assert!(took < Duration::from_secs(1), "{name}: {took:?}");
}

fn random() -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(BYTES)
    .collect()
}

fn all(tokenizer: &Tokenizer) {
    for unit in ["a", " ", "🦙", "東", "ab", "\n ", "'", "9", "-", "\u{3000}", "é"] {
        check(tokenizer, unit, &unit.bytes().cycle().take(BYTES).collect::<Vec<_>>());
    }
    check(tokenizer, "random bytes", &random());
    check(tokenizer, "random letters", &random().iter().map(|b| b'a' + b % 26).collect::<Vec<_>>());
    check(tokenizer, "0xFF", &vec![0xFF; BYTES]);
}

#[test]
fn a_megabyte_of_anything_takes_less_than_a_second() {
    let text = include_str!("worst_case.rs").to_owned() + &"a".repeat(64) + &" ".repeat(64) + &"🦙".repeat(16);
    all(&ovid_bpe::train([&text, &text].iter(), 600, 1, &ovid_io::Silent).unwrap());
    let gpt2 = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tokenizer");
    if gpt2.is_dir() {
        all(&Tokenizer::load(&gpt2).unwrap());
    } else {
        println!("skipped: no ../shared");
    }
}
