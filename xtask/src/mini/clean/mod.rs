//! Cleaning: from a raw document of `../shared/data/corpus` to running text, or a reason to leave it out.
//!
//! One module a kind of source; what each removes was found by reading that source. Nothing is rewritten but marks and blanks.

mod blocks;
mod book;
mod characters;
mod dialogue;
mod encyclopaedia;
mod other;
mod tech;
mod textbook;
mod web;

use super::recipe::{Kind, Source};

pub use blocks::{Make, make_of};

/// A document as the corpus has it.
#[derive(Debug, serde::Deserialize)]
pub struct Raw {
    /// Identifier within the source.
    pub id: String,
    /// Title, often a path.
    #[serde(default)]
    pub title: String,
    /// The text.
    pub text: String,
}

/// Why a document was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The recipe names it, or its kind, as unfit (verse, plays, e-mail).
    Named,
    /// Too little text was left.
    Short,
    /// Lists, tables, numbers, names or another language.
    NotProse,
    /// The same text as another document.
    Duplicate,
    /// Nearly the same text as another document.
    NearDuplicate,
    /// Over the source's limit: others of its source read better or stand for more.
    Limit,
}

impl Reason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Named => "unfit by kind",
            Self::Short => "too short",
            Self::NotProse => "not prose",
            Self::Duplicate => "duplicate",
            Self::NearDuplicate => "near-duplicate",
            Self::Limit => "over the limit",
        }
    }
}

/// The clean text of `raw`, with the style it counts as.
///
/// # Errors
/// The reason for leaving it out.
pub fn clean(raw: &Raw, source: &Source) -> Result<(String, String), Reason> {
    let mut style = source.style.clone();
    let mut text = characters::normalise(&raw.text);
    if source.kind != Kind::Tech {
        text = characters::typeset_quotes(&text);
    }
    let title = characters::tidy(&characters::normalise(&raw.title));
    let paragraphs = match source.kind {
        Kind::Book => {
            if source.drop_ids.contains(&raw.id) {
                return Err(Reason::Named);
            }
            if source.essay_ids.contains(&raw.id) {
                "essay".clone_into(&mut style);
            }
            book::clean(&text)
        }
        Kind::Encyclopaedia => encyclopaedia::clean(&text),
        Kind::Web => web::clean(&title, &text),
        Kind::Textbook => textbook::clean(&text),
        Kind::Tech => tech::clean(&title, &text),
        Kind::Dialogue => dialogue::task(&text),
        Kind::Transcript => dialogue::transcript(&text),
        Kind::Speech => other::speech(&text),
        Kind::Genres if source.drop_ids.iter().any(|prefix| raw.id.starts_with(prefix.as_str())) => return Err(Reason::Named),
        Kind::Genres => other::genres(&text),
        Kind::Recipe => other::recipe(&text),
        Kind::Facts => other::facts(&title, &text),
    };
    let separator = if matches!(source.kind, Kind::Dialogue | Kind::Transcript) { "\n" } else { "\n\n" };
    let mut text = paragraphs.iter().map(|p| characters::mended(p)).collect::<Vec<_>>().join(separator);
    if text.len() < source.min_bytes {
        return Err(Reason::Short);
    }
    let make = make_of(&text);
    if make.function_ratio < source.min_function_ratio || make.digit_ratio > source.max_digit_ratio {
        return Err(Reason::NotProse);
    }
    cut(&mut text, source.document_limit_kb * 1000);
    Ok((text, style))
}

/// Cuts `text` at the last paragraph that ends within `limit` bytes.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = text.as_bytes()[..limit].iter().rposition(|&b| b == b'\n').unwrap_or(0);
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
}
