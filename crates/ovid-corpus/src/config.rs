//! `corpus.toml`: what is read, which stages it goes through and in which order, what is written.
//!
//! Every default stands here with its source. Paths are taken from the folder of the file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clean::{LanguageRule, LinksRule, Quality, RepairRule, RepeatedLinesRule, WikipediaRule};
use crate::{Error, extract};

/// A whole `corpus.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is read, in this order.
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
    /// How main text is taken out of pages.
    #[serde(default)]
    pub extract: extract::Settings,
    /// What documents go through, in this order.
    #[serde(default, rename = "stage")]
    pub stages: Vec<StageRule>,
    /// What is written.
    #[serde(default)]
    pub output: Output,
}

/// Files or folders of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// The collection's name, where the documents' own is not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The licence of documents that do not say theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// One stage; `do` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum StageRule {
    /// Keeps pages that well-scored links lead to.
    Links(LinksRule),
    /// Mends characters and brings them to one form.
    Repair(RepairRule),
    /// Keeps some languages.
    Language(LanguageRule),
    /// Leaves out Wikipedia, by domain and by likeness to given articles.
    Wikipedia(WikipediaRule),
    /// Leaves out what does not read as prose.
    Quality(Quality),
    /// Removes lines that stand in the same document before.
    RepeatedLines(RepeatedLinesRule),
    /// Leaves out texts that an earlier document has to the byte.
    ExactDuplicates(ExactRule),
    /// Leaves out texts that an earlier document has nearly, and keeps clusters together in the split.
    NearDuplicates(NearRule),
}

/// Nothing can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExactRule {}

/// Likeness is the estimated Jaccard similarity of the sets of word 5-grams: see [`crate::near`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NearRule {
    /// From this likeness to an earlier document on, a document is left out. 0.8 as in Lee et al. 2022.
    pub drop_at: f64,
    /// From this likeness on, two documents lie on the same side of the split.
    pub together_at: f64,
}

impl Default for NearRule {
    fn default() -> Self {
        Self { drop_at: 0.8, together_at: 0.5 }
    }
}

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// The form of the documents.
    pub documents: Form,
    /// Token shards are written where this names a tokenizer: a path, a fetched model's name, or the built-in model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
}

/// The form of the documents that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// JSON Lines, Zstandard.
    #[default]
    JsonLines,
    /// Parquet.
    Parquet,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, has an unknown key, or a value is out of its range.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|cause| ovid_io::Error::Io { path: path.to_owned(), doing: "read", cause })?;
        let mut config: Self = toml::from_str(&text).map_err(|cause| Error::config(path, cause.to_string().trim_end()))?;
        config.check().map_err(|cause| Error::config(path, cause))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.paths_mut().for_each(|given| *given = folder.join(&*given));
        Ok(config)
    }

    fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of_stages = self.stages.iter_mut().flat_map(|stage| match stage {
            StageRule::Links(rule) => rule.lists.iter_mut(),
            StageRule::Wikipedia(rule) => rule.articles.iter_mut(),
            _ => <&mut [PathBuf]>::default().iter_mut(),
        });
        self.inputs.iter_mut().flat_map(|input| input.paths.iter_mut()).chain(of_stages)
    }

    fn check(&self) -> Result<(), String> {
        if self.inputs.iter().all(|input| input.paths.is_empty()) {
            return Err("no [[input]] names a path".to_owned());
        }
        let is_ratio = |key: &str, value: f64| {
            if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{key} = {value} is not between 0 and 1")) }
        };
        for stage in &self.stages {
            match stage {
                StageRule::NearDuplicates(NearRule { drop_at, together_at }) => {
                    is_ratio("drop_at", *drop_at)?;
                    is_ratio("together_at", *together_at)?;
                    if together_at > drop_at {
                        return Err(format!("together_at = {together_at} is above drop_at = {drop_at}"));
                    }
                }
                StageRule::Wikipedia(rule) => is_ratio("drop_at", rule.drop_at)?,
                StageRule::Language(rule) => rule.check()?,
                StageRule::Quality(rule) => rule.check()?,
                StageRule::Links(rule) if rule.lists.is_empty() => return Err("the links stage has no lists".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }
}

impl StageRule {
    /// Its name in the file, in rows and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Links(_) => "links",
            Self::Repair(_) => "repair",
            Self::Language(_) => "language",
            Self::Wikipedia(_) => "wikipedia",
            Self::Quality(_) => "quality",
            Self::RepeatedLines(_) => "repeated-lines",
            Self::ExactDuplicates(_) => "exact-duplicates",
            Self::NearDuplicates(_) => "near-duplicates",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corpus.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn stages_stand_in_the_order_of_the_file() {
        let text = "[[input]]\npaths = ['a']\n[[stage]]\ndo = 'quality'\nmin_words = 7\n[[stage]]\ndo = 'repair'\n[[stage]]\ndo = 'near-duplicates'\n";
        let config = load(text).unwrap();
        assert_eq!(config.stages.iter().map(StageRule::name).collect::<Vec<_>>(), ["quality", "repair", "near-duplicates"]);
        assert!(config.inputs[0].paths[0].is_absolute());
        assert_eq!(toml::from_str::<Config>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let input = "[[input]]\npaths = ['a']\n";
        for (text, expected) in [
            ("", "missing field `input`"),
            ("[[input]]\npaths = []\n", "no [[input]] names a path"),
            (&format!("{input}[[stage]]\ndo = 'polish'\n"), "unknown variant `polish`"),
            (&format!("{input}[[stage]]\ndo = 'repair'\nhow = 1\n"), "unknown field `how`"),
            (&format!("{input}[[stage]]\ndo = 'near-duplicates'\ndrop_at = 1.5\n"), "drop_at = 1.5 is not between 0 and 1"),
            (&format!("{input}[[stage]]\ndo = 'near-duplicates'\ntogether_at = 0.9\n"), "together_at = 0.9 is above drop_at = 0.8"),
            (&format!("{input}[[stage]]\ndo = 'language'\nkeep = ['english']\n"), "'english' is no language"),
            (&format!("{input}[[stage]]\ndo = 'links'\nlists = []\n"), "the links stage has no lists"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
