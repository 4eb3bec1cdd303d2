//! Text from tokens as they come, never half a character.

use crate::{Error, Tokenizer};

/// Joins bytes to text as they come. Together with [`Utf8Stream::finish`] it gives what `String::from_utf8_lossy` gives for all bytes at once:
/// the beginning of a character is kept back until the rest is there, and what is no UTF-8 becomes U+FFFD.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    /// The beginning of a character, up to three bytes.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes bytes and returns the text that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.pending.len());
        let mut rest = &self.pending[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, tail) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = tail;
                    let Some(n) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[n..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }

    /// What is left at the end: U+FFFD if a character was never completed, else nothing.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// Turns tokens into text as they are generated.
///
/// ```
/// # let docs = [&b"ab"[..]; 2];
/// # let tokenizer = ovid_bpe::train(docs.iter(), 258, 1, &ovid_io::Silent).unwrap();
/// let mut stream = ovid_bpe::StreamDecoder::new(&tokenizer);
/// let mut text = String::new();
/// for id in tokenizer.encode("né".as_bytes()) {
///     text += &stream.push(id)?; // "n", "", "é"
/// }
/// text += &stream.finish();
/// assert_eq!(text, "né");
/// # Ok::<(), ovid_bpe::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StreamDecoder<'t> {
    tokenizer: &'t Tokenizer,
    stream: Utf8Stream,
}

impl<'t> StreamDecoder<'t> {
    /// At the beginning of a text.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        Self { tokenizer, stream: Utf8Stream::default() }
    }

    /// Takes a token and returns the text that it completes, which may be empty.
    ///
    /// # Errors
    /// [`Error::UnknownToken`] for an id outside the vocabulary.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        Ok(self.stream.push(self.tokenizer.known(id)?))
    }

    /// What is left at the end: U+FFFD if a character was never completed, else nothing.
    pub fn finish(self) -> String {
        self.stream.finish()
    }
}
