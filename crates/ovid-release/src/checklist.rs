//! The checklist: what must hold before a model goes out, each item with its reason and source. A TOML file that a team can extend.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::{plain_path, read_toml};
use crate::{Error, Stage};

/// The name of the file in a release folder.
pub const FILE: &str = "checklist.toml";
/// The list that a new release folder gets.
pub const DEFAULT: &str = include_str!("../checklist.toml");

/// The items, in the order in which they are checked and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// One a question.
    pub item: Vec<Item>,
}

/// One question, and what answers it: exactly one of `program`, `report`, `samples`, `statement`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// A short name.
    pub id: String,
    /// What must hold, in a line.
    pub title: String,
    /// Why it is asked.
    pub reason: String,
    /// Where the question comes from.
    pub sources: Vec<String>,
    /// The first stage that asks for it.
    pub from: Stage,
    /// How the evidence is made.
    pub make: String,
    /// The section of the model card that it belongs to.
    pub section: Option<String>,
    /// Checked by the program from the release folder itself.
    pub program: Option<Program>,
    /// A JSON file made for the weights, whose numbers keep within bounds.
    pub report: Option<Report>,
    /// A dump of raw samples, a random part of which is made again.
    pub samples: Option<Samples>,
    /// The words of a person, signed.
    pub statement: Option<Question>,
}

/// What the program checks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The weights are those that the record names.
    Weights,
    /// The tokenizer is the one that the record names.
    Tokenizer,
    /// `release.toml` is written to its end.
    Plan,
    /// The stage is the one decided for, and the model is of a size for it.
    Stage,
    /// Who may have the model is decided.
    Access,
    /// Whether Ovid marks what it generates with this model is decided.
    Watermark,
    /// No file has changed, gone or come since the record was signed.
    Record,
    /// The card in the folder is the one that the evidence makes.
    Card,
}

/// Evidence as a JSON file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Its place in the release folder.
    pub file: String,
    /// Where in it the digest of the model stands that it was made for.
    pub model: String,
    /// Numbers that must keep within bounds, all of which the card shows.
    #[serde(default)]
    pub bound: Vec<Bound>,
    /// Lists whose every element must have certain fields.
    #[serde(default)]
    pub each: Vec<Each>,
    /// Tables for the card.
    #[serde(default)]
    pub table: Vec<Table>,
}

/// A number that must keep within bounds, both included; without bounds it must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// What it is, in words.
    pub what: String,
    /// Where it stands, see [`crate::Evidence::at`].
    pub at: String,
    /// The least that passes.
    pub min: Option<f64>,
    /// The most that passes.
    pub max: Option<f64>,
}

/// A list whose every element must have these fields, not empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// What an element is, in words.
    pub what: String,
    /// Where the list stands.
    pub at: String,
    /// The fields.
    pub fields: Vec<String>,
    /// The least number of elements.
    #[serde(default)]
    pub min: usize,
}

/// A table of the card: one row an element of a list or a field of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What stands above it.
    pub title: String,
    /// Where the list or object stands.
    pub at: String,
    /// Which field of an element names its row; the fields of an object are named already.
    pub row: Option<String>,
    /// The columns.
    pub column: Vec<Column>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its heading.
    pub title: String,
    /// Where in the element its value stands.
    pub at: String,
}

/// A dump of samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The dump's folder in the release folder.
    pub folder: String,
    /// The least number of samples in it.
    pub min_samples: u64,
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The fewest words that can be an answer.
    pub min_words: usize,
}

impl Checklist {
    /// Reads the list of a release folder.
    ///
    /// # Errors
    /// If it cannot be read, or an item is not whole.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let list: Self = read_toml(&path)?;
        list.check().map_err(|cause| ovid_io::Error::malformed(&path, ovid_io::Place::Whole, cause))?;
        Ok(list)
    }

    /// The item of a name.
    pub fn get(&self, id: &str) -> Option<&Item> {
        self.item.iter().find(|item| item.id == id)
    }

    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        if self.item.is_empty() {
            return Err("it has no item".to_owned());
        }
        for item in &self.item {
            let wrong = |what: &str| Err(format!("item '{}': {what}", item.id));
            let is_name = !item.id.is_empty() && item.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !is_name {
                return wrong("an id is of lower-case letters, digits and hyphens");
            }
            if !seen.insert(&item.id) {
                return wrong("it stands twice");
            }
            if item.reason.trim().is_empty() || item.sources.iter().all(|s| s.trim().is_empty()) {
                return wrong("it needs a reason and a source");
            }
            let answers = [item.program.is_some(), item.report.is_some(), item.samples.is_some(), item.statement.is_some()]
                .iter()
                .filter(|a| **a)
                .count();
            if answers != 1 {
                return wrong("exactly one of program, report, samples and statement answers it");
            }
            let files = item.report.iter().map(|r| &r.file).chain(item.samples.iter().map(|s| &s.folder));
            if let Some(file) = files.into_iter().find(|f| plain_path(f).is_none()) {
                return wrong(&format!("'{file}' leaves the release folder"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_list_is_whole_and_every_stage_asks_for_more() {
        let list: Checklist = toml::from_str(DEFAULT).unwrap();
        list.check().unwrap();
        let counts: Vec<usize> = Stage::ALL.iter().map(|s| list.item.iter().filter(|i| i.from <= *s).count()).collect();
        assert!(counts.is_sorted() && counts[0] > 15 && counts[3] == list.item.len(), "{counts:?}");
    }

    #[test]
    fn a_list_that_is_not_whole_is_refused_with_the_item() {
        let item = |id: &str, rest: &str| {
            format!("[[item]]\nid = '{id}'\ntitle = 't'\nreason = 'r'\nsources = ['s']\nfrom = 'demo'\nmake = 'm'\n{rest}\n")
        };
        let cases = [
            (item("a", ""), "exactly one"),
            (item("a", "program = 'weights'\nstatement = { question = 'q', min_words = 1 }"), "exactly one"),
            (item("A b", "program = 'weights'"), "lower-case"),
            (item("a", "program = 'weights'") + &item("a", "program = 'plan'"), "twice"),
            (item("a", "samples = { folder = '../x', min_samples = 1 }"), "leaves the release folder"),
        ];
        for (text, expected) in cases {
            let list: Checklist = toml::from_str(&text).unwrap();
            let cause = list.check().unwrap_err();
            assert!(cause.contains(expected), "{cause}");
        }
    }
}
