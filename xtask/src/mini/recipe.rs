//! The recipe of the built-in model: `xtask/mini.toml`, read whole and checked, every choice with its reason beside it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use ovid_generate::Settings;
use serde::Deserialize;

/// The whole recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Near-duplicates and repeated paragraphs.
    pub duplicates: Duplicates,
    /// What of the held-out text is scored.
    pub validation: Validation,
    /// The vocabulary.
    pub vocabulary: Vocabulary,
    /// The keys of `ovid train`'s configuration, data and folder apart.
    pub train: toml::Table,
    /// The samples that are measured.
    pub measure: Measure,
    /// The sources, in the order in which duplicates are resolved: the first to have a text keeps it.
    pub source: Vec<Source>,
}

/// When two documents are one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicates {
    /// Estimated Jaccard similarity of word 5-grams from which the later document is dropped.
    pub drop_at: f64,
    /// Similarity from which two documents lie on the same side of the split.
    pub together_at: f64,
    /// Bytes from which a paragraph is dropped where it stands in another document.
    pub paragraph_bytes: usize,
}

/// What of the held-out text is made into shards, so that no book outweighs a style.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Kilobytes of one document, from its beginning.
    pub document_kb: usize,
    /// Kilobytes of one source and style.
    pub group_kb: usize,
}

/// The vocabulary and what it is trained on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Tokens in all, `<|endoftext|>` among them.
    pub size: usize,
    /// Megabytes of the training mixture that it is trained on.
    pub sample_mb: usize,
    /// Kilobytes of one document in it, from its beginning, so that no hero's name becomes a token.
    pub document_kb: usize,
}

/// How samples are drawn and measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Samples for each style.
    pub n_samples: usize,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// The sampler's settings, `max_tokens` among them.
    pub settings: Settings,
    /// The styles, in the order of the reports.
    pub styles: Vec<String>,
}

/// How a source is cleaned.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whole books.
    Book,
    /// Wikipedia.
    Encyclopaedia,
    /// Articles of web sites.
    Web,
    /// Chapters of textbooks.
    Textbook,
    /// Manuals and proposals with code between.
    Tech,
    /// Task dialogues.
    Dialogue,
    /// Air-to-ground transcripts.
    Transcript,
    /// Addresses.
    Speech,
    /// Small web genres.
    Genres,
    /// Recipes.
    Recipe,
    /// Fact sheets.
    Facts,
}

/// One source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the file in the corpus, without its endings.
    pub name: String,
    /// How it is cleaned.
    pub kind: Kind,
    /// The style that it teaches.
    pub style: String,
    /// Licence of the text, for the card.
    pub licence: String,
    /// Attribution, for the card.
    pub attribution: String,
    /// How often its training text is seen in one pass: 2 is twice, 0.5 is another half in every pass.
    pub weight: f64,
    /// Megabytes of training text that are kept.
    pub limit_mb: f64,
    /// What is kept where there is more.
    #[serde(default)]
    pub prefer: Prefer,
    /// Kilobytes of one document that are kept.
    #[serde(default = "no_limit")]
    pub document_limit_kb: usize,
    /// Bytes below which a document is a stub.
    pub min_bytes: usize,
    /// Share of function words below which a document is not prose.
    pub min_function_ratio: f64,
    /// Share of words with digits above which a document is a table.
    pub max_digit_ratio: f64,
    /// Documents (books) or beginnings of identifiers (genres) that are left out.
    #[serde(default)]
    pub drop_ids: BTreeSet<String>,
    /// Books that are not stories.
    #[serde(default)]
    pub essay_ids: BTreeSet<String>,
    /// Why it is weighed so.
    pub why: String,
}

/// Which documents are kept where a source has more than its limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// Those that read most like running prose: many function words, few names and numbers.
    #[default]
    Prose,
    /// As many different titles as possible, for templated sources.
    Variety,
}

fn no_limit() -> usize {
    usize::MAX / 1000
}

impl Recipe {
    /// Reads the recipe.
    ///
    /// # Errors
    /// When the file cannot be read or says something that the recipe does not know.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading '{}'", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading '{}'", path.display()))
    }
}
