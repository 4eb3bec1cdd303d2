//! Main text of pages: a page comes in, a document or a row goes out.
//!
//! The text is found by the `trafilatura` crate (Barbaresi 2021), with fallback and in its precise mode, which ten-fold cross-validation on the article extraction benchmark prefers to the
//! other two ([`benchmark`]). Ours are what is cut off before, for speed (`prepare`), and how paragraphs are laid out after (`text`). No rule names a site or a page.
//!
//! [`extract`] is the plain function. Pages from outside go through [`run`], in processes of their own with limits on memory, stack and time.

mod benchmark;
mod charset;
mod parts;
mod pool;
mod prepare;
mod protocol;
mod text;
mod worker;

use serde::{Deserialize, Serialize};

use crate::decode::decode;
use crate::{Outcome, Page};

pub use benchmark::{Benchmark, CrossValidation, PageScore, Scores, benchmark, cross_validate};
pub use parts::{Report, extract_to};
pub use pool::{Workers, run};
pub use worker::{PageLimits, serve};

/// The stage's name in rows.
pub const STAGE: &str = "extract";

/// How sure the extraction is to be that a paragraph belongs to the main text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Focus {
    /// Rather leave out a paragraph than take in what surrounds the text.
    #[default]
    Precision,
    /// Between the two.
    Balanced,
    /// Rather take in what surrounds the text than leave out a paragraph.
    Recall,
}

impl Focus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Precision, Self::Balanced, Self::Recall];
}

/// How text is taken out of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How sure to be.
    pub focus: Focus,
    /// Whether other ways are tried where the first finds little: slower by half, and better.
    pub fallback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { focus: Focus::Precision, fallback: true }
    }
}

/// What was found in a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    /// The main text: paragraphs with a blank line between.
    pub text: String,
    /// The page's title.
    pub title: Option<String>,
    /// The day it was published, as it says itself (`2019-02-14`).
    pub date: Option<String>,
    /// The licence, as it says itself.
    pub licence: Option<String>,
}

/// Takes the main text out of a page, in this process: a page that was made to crash or to hang its reader does so here.
///
/// ```
/// use ovid_corpus::{Outcome, Page, extract::{Settings, extract}};
/// let bytes = b"<html><title>T</title><body><nav>Home</nav><article><p>It was a bright cold day in April.</p></article></body></html>".to_vec();
/// let Outcome::Kept(document) = extract(Page { bytes, ..Page::default() }, Settings::default()) else { panic!() };
/// assert_eq!(document.text, "It was a bright cold day in April.");
/// ```
pub fn extract(page: Page, settings: Settings) -> Outcome {
    let extracted = main_text(&page.bytes, page.content_type.as_deref(), page.document.url.as_deref(), settings);
    outcome(page, extracted)
}

/// Puts together what was found and what was known.
fn outcome(page: Page, extracted: Result<Extracted, Empty>) -> Outcome {
    match extracted {
        Ok(extracted) => {
            let mut document = page.document;
            document.text = extracted.text;
            document.title = document.title.or(extracted.title);
            document.date = document.date.or(extracted.date);
            document.licence = document.licence.or(extracted.licence);
            document.touch(STAGE, format!("main text of a page of {} bytes", page.bytes.len()));
            Outcome::Kept(document)
        }
        Err(Empty(detail)) => Outcome::Dropped(page.row(STAGE, "no-text", detail)),
    }
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Empty(String);

fn main_text(bytes: &[u8], content_type: Option<&str>, url: Option<&str>, settings: Settings) -> Result<Extracted, Empty> {
    let declared = charset::declared(bytes, content_type);
    let html = decode(bytes, declared.as_deref()).text;
    let html = prepare::prepare(&html);
    let focus = match settings.focus {
        Focus::Precision => trafilatura::ExtractionFocus::FavorPrecision,
        Focus::Balanced => trafilatura::ExtractionFocus::Balanced,
        Focus::Recall => trafilatura::ExtractionFocus::FavorRecall,
    };
    let mut options = trafilatura::Options::default()
        .with_fallback(settings.fallback)
        .with_focus(focus)
        .with_exclude_comments(true)
        // The wider search guesses from any number that looks like a day.
        .with_html_date_mode(trafilatura::HtmlDateMode::Fast);
    options.original_url = url.and_then(|url| url.parse().ok());
    let found = trafilatura::extract(&html, &options).map_err(|cause| Empty(cause.to_string()))?;
    let text = text::of_html(&found.content_html);
    if text.is_empty() {
        return Err(Empty("no main text".into()));
    }
    let known = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let about = found.metadata;
    Ok(Extracted { text, title: known(about.title), date: about.date.map(|day| day.to_string()), licence: known(about.license) })
}
