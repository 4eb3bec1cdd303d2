//! What names a tokenizer in a record, whatever file it came from.

use ovid_bpe::Tokenizer;
use ovid_io::digest;

/// SHA-256 over the number of tokens, end-of-text, and each token's length and bytes in the order of ids (little-endian 32-bit numbers): all of a tokenizer that turns drawn ids
/// into text, the same for a folder and for the GGUF file made from it.
pub fn tokenizer_sha256(tokenizer: &Tokenizer) -> String {
    let n = tokenizer.vocab_size() as u32;
    let mut bytes = [n, tokenizer.end_of_text().unwrap_or(u32::MAX)].map(u32::to_le_bytes).concat();
    for id in 0..n {
        let token = tokenizer.token_bytes(id).unwrap_or_default();
        bytes.extend((token.len() as u32).to_le_bytes());
        bytes.extend(token);
    }
    digest::sha256(&bytes)
}
