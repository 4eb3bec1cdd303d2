//! Tokens to text that is certain: whole characters, no part of a stop string.

use std::sync::Arc;

use ovid_bpe::{Tokenizer, Utf8Stream};

use super::request::TokenLogprob;
use crate::Error;
use crate::stop::Stops;

/// The text of one sample as it grows.
#[derive(Clone)]
pub(super) struct Output {
    tokenizer: Arc<Tokenizer>,
    characters: Utf8Stream,
    stops: Stops,
    /// Everything given out so far.
    pub(super) text: String,
    pub(super) logprobs: Vec<TokenLogprob>,
}

impl Output {
    pub(super) fn new(tokenizer: Arc<Tokenizer>, stops: Vec<String>) -> Self {
        Self { tokenizer, characters: Utf8Stream::default(), stops: Stops::new(stops), text: String::new(), logprobs: Vec::new() }
    }

    /// Takes a token; appends to `certain` what became certain, and says whether a stop string ended the text.
    pub(super) fn push(&mut self, id: u32, certain: &mut String) -> Result<bool, Error> {
        let bytes = self.tokenizer.token_bytes(id).ok_or(Error::Token { id })?;
        let (sure, stopped) = self.stops.push(&self.characters.push(bytes));
        self.give(&sure, certain);
        if stopped {
            self.characters = Utf8Stream::default();
        }
        Ok(stopped)
    }

    /// Appends to `certain` what was held back.
    pub(super) fn finish(&mut self, certain: &mut String) {
        let rest = self.stops.finish() + &std::mem::take(&mut self.characters).finish();
        self.give(&rest, certain);
    }

    fn give(&mut self, text: &str, certain: &mut String) {
        self.text.push_str(text);
        certain.push_str(text);
    }
}
