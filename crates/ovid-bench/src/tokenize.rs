//! Text to tokens, and the training of a vocabulary.

use ovid_bpe::Tokenizer;
use ovid_io::Observer;

use crate::measure::repeat;
use crate::{Error, Measurement};

/// Bytes of a document: what tokenizers are usually measured on.
const DOCUMENT_BYTES: usize = 4096;

/// `encode`: the text in documents of 4 KiB.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn encode(
    tokenizer: &Tokenizer,
    text: &[u8],
    n_threads: usize,
    repetitions: usize,
    observer: &dyn Observer,
) -> Result<Measurement, Error> {
    let documents: Vec<&[u8]> = text.chunks(DOCUMENT_BYTES).collect();
    repeat("encode".to_owned(), "bytes", text.len(), repetitions, observer, || {
        std::hint::black_box(tokenizer.encode_batch(&documents, n_threads));
        Ok(())
    })
}

/// `vocabularyN`: a vocabulary of `size` tokens from the text in documents of 4 KiB.
///
/// # Errors
/// [`Error::Cancelled`], or if the size is no vocabulary's.
pub fn vocabulary(text: &[u8], size: usize, n_threads: usize, repetitions: usize, observer: &dyn Observer) -> Result<Measurement, Error> {
    repeat(format!("vocabulary{size}"), "bytes", text.len(), repetitions, observer, || {
        ovid_bpe::train(text.chunks(DOCUMENT_BYTES), size, n_threads, &ovid_io::Silent)?;
        Ok(())
    })
}
