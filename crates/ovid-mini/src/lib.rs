//! The model built into Ovid, as data.
//!
//! In: nothing. Out: one GGUF file, vocabulary included, in the program's own memory. `MODEL_CARD.md` beside it says what it was made from and how it reads;
//! `cargo xtask remake-mini` makes both again. It imports no crate.

/// Bytes that begin where a cache line does, so that tensors can be read where they lie.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../ovid-mini.gguf"));

/// The model's name, as outputs call it.
pub const NAME: &str = "ovid-mini";

/// The model: a GGUF file of a GPT-2 with `Q8_0` weights and its vocabulary, at an address that 64 divides.
///
/// ```
/// assert!(ovid_mini::GGUF.starts_with(b"GGUF"));
/// ```
pub static GGUF: &[u8] = &FILE.0;

/// The model card, in Markdown.
pub const MODEL_CARD: &str = include_str!("../MODEL_CARD.md");

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_is_a_gguf_that_can_be_published_and_read_in_place() {
        let bytes = super::GGUF;
        assert!(bytes.starts_with(b"GGUF"));
        assert!(bytes.len() <= 9_500_000, "{} bytes: crates.io takes 10 MB", bytes.len());
        assert_eq!(bytes.as_ptr().addr() % 64, 0);
    }
}
