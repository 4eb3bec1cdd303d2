//! Tokens that are found in a text as they are written, before it is split into words: `<|endoftext|>` and whatever a model has added.

use memchr::memmem;

use crate::Error;

/// What to do with the spelling of a special token in a text.
///
/// Text from strangers is best treated as text: then nobody can end a document from within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpecialPolicy {
    /// It is text like any other (tiktoken's `encode_ordinary`).
    #[default]
    Text,
    /// It becomes the special token (tiktoken's `allowed_special="all"`, and what Hugging Face tokenizers do).
    Allow,
    /// It is an error (what tiktoken's `encode` does by default).
    Refuse,
}

/// A token that is matched as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedToken {
    /// Its id.
    pub id: u32,
    /// Its spelling.
    pub text: String,
    /// True for control tokens, which [`SpecialPolicy`] rules; the others are always matched.
    pub special: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Added {
    tokens: Vec<AddedToken>,
    finders: Vec<memmem::Finder<'static>>,
}

impl Added {
    pub(crate) fn new(mut tokens: Vec<AddedToken>) -> Self {
        tokens.retain(|t| !t.text.is_empty());
        tokens.sort_by_key(|t| t.id);
        let finders = tokens.iter().map(|t| memmem::Finder::new(t.text.as_bytes()).into_owned()).collect();
        Self { tokens, finders }
    }

    pub(crate) fn tokens(&self) -> &[AddedToken] {
        &self.tokens
    }

    /// Calls `ordinary` for each stretch of text and `added` for each token between them. The leftmost token wins, the longest where two begin together.
    pub(crate) fn split<'t>(
        &self,
        text: &'t [u8],
        policy: SpecialPolicy,
        mut found: impl FnMut(&'t [u8], Option<u32>),
    ) -> Result<(), Error> {
        let matched = |t: &AddedToken| !t.special || policy != SpecialPolicy::Text;
        // The next place of each token at or after `start`: looked for again only once it is passed, so that each token reads the text once.
        let mut places: Vec<Option<usize>> =
            self.tokens.iter().zip(&self.finders).map(|(t, f)| matched(t).then(|| f.find(text)).flatten()).collect();
        let mut start = 0;
        loop {
            let next =
                places.iter().enumerate().filter_map(|(i, place)| place.map(|p| (p, usize::MAX - self.tokens[i].text.len(), i))).min();
            let Some((at, _, which)) = next else {
                found(&text[start..], None);
                return Ok(());
            };
            let token = &self.tokens[which];
            if token.special && policy == SpecialPolicy::Refuse {
                return Err(Error::SpecialToken { token: token.text.clone(), offset: at });
            }
            found(&text[start..at], Some(token.id));
            start = at + token.text.len();
            for (place, finder) in places.iter_mut().zip(&self.finders) {
                if place.is_some_and(|p| p < start) {
                    *place = finder.find(&text[start..]).map(|p| p + start);
                }
            }
        }
    }
}
