//! The release folder: what a team works on until the check passes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checklist::Checklist;
use crate::files::read_toml;
use crate::keys::Signer;
use crate::{Error, Stage};

/// The plan's file.
pub const PLAN: &str = "release.toml";
/// Whose signatures count.
pub const SIGNERS: &str = "signers.toml";
/// The folder of signed statements.
pub const STATEMENTS: &str = "statements";
/// The card in Markdown, under the name that the hub shows.
pub const CARD: &str = "README.md";
/// The card in HTML.
pub const CARD_HTML: &str = "card.html";
/// The names for which a copy was made; for the issuer alone, never exported.
pub const COPIES: &str = "copies.jsonl";
/// What `ovid release init` puts where a person must write.
pub const PLACEHOLDER: &str = "TO BE WRITTEN";

/// What is released, to whom and why: `release.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The model's name.
    pub name: String,
    /// The version of this release.
    pub version: String,
    /// The licence of the weights, as the hub spells it.
    pub licence: String,
    /// The languages of the model, as ISO 639 codes.
    pub languages: Vec<String>,
    /// The model: folder or GGUF file, seen from the release folder.
    pub model: PathBuf,
    /// Its tokenizer, where it does not lie with the model.
    pub tokenizer: Option<PathBuf>,
    /// The stage that was decided for.
    pub stage: Stage,
    /// What the model is, in a sentence or two.
    pub description: String,
    /// For whom the release is.
    pub audience: String,
    /// What it is for, and what not.
    pub uses: Uses,
    /// What it was made from.
    pub data: Data,
    /// Who answers for the release.
    pub responsible: Responsible,
    /// Who may have it.
    pub access: Access,
    /// Whether what Ovid generates with it is marked.
    pub watermark: Watermark,
    /// What comes next.
    pub next: Next,
}

/// Uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uses {
    /// Intended ones.
    pub intended: Vec<String>,
    /// Those that it is not for.
    pub out_of_scope: Vec<String>,
}

/// Data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// What the training text is and where it comes from.
    pub statement: String,
    /// Training documents, seen from the release folder: the n-gram filter is made from them at export.
    pub training: Vec<PathBuf>,
    /// Held-out documents (JSON Lines with `text` and `style`), seen from the release folder.
    pub held_out: Vec<PathBuf>,
}

/// A person or body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Responsible {
    /// The name.
    pub name: String,
    /// How they are reached.
    pub contact: String,
}

/// Access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// What was decided, and why.
    pub decision: String,
    /// The terms of a copy for a named person; needed at the stage `researchers`. A file of the release folder.
    pub terms: Option<String>,
}

/// Watermark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watermark {
    /// What was decided, and why. A key belongs where Ovid itself generates, not in weights that others run.
    pub decision: String,
    /// The identity of the key, where one is used.
    pub key_id: Option<String>,
}

/// The next stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// Which.
    pub stage: Option<Stage>,
    /// When it is decided, as YYYY-MM-DD.
    pub date: Option<String>,
    /// What must be learned before.
    pub plan: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signers {
    signer: Vec<Signer>,
}

/// A release folder as it was read.
#[derive(Clone, Debug)]
pub struct Release {
    /// The folder.
    pub folder: PathBuf,
    /// What is released.
    pub plan: Plan,
    /// What is asked.
    pub checklist: Checklist,
    /// Whose signatures count.
    pub signers: Vec<Signer>,
}

impl Release {
    /// Reads a release folder.
    ///
    /// # Errors
    /// If one of its three files cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.join(PLAN).is_file() {
            let cause = format!("'{}' is no release folder: it has no {PLAN}; `ovid release init` makes one", folder.display());
            return Err(Error::Asked(cause));
        }
        let plan = read_toml(&folder.join(PLAN))?;
        let checklist = Checklist::read(folder)?;
        let signers: Signers = read_toml(&folder.join(SIGNERS))?;
        Ok(Self { folder: folder.to_owned(), plan, checklist, signers: signers.signer })
    }

    /// The model that is to be released.
    pub fn model(&self) -> PathBuf {
        self.folder.join(&self.plan.model)
    }

    /// Its tokenizer, where it lies elsewhere.
    pub fn tokenizer(&self) -> Option<PathBuf> {
        self.plan.tokenizer.as_ref().map(|path| self.folder.join(path))
    }
}

impl Plan {
    /// The fields that nobody has written, by their keys.
    pub fn unwritten(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(value) = serde_json::to_value(self) {
            collect_unwritten("", &value, &mut found);
        }
        let lists = [("uses.intended", self.uses.intended.is_empty()), ("uses.out_of_scope", self.uses.out_of_scope.is_empty())];
        found.extend(lists.into_iter().filter(|l| l.1).map(|l| l.0.to_owned()));
        found
    }
}

/// Texts that are empty or still say that they are to be written.
fn collect_unwritten(key: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        serde_json::Value::String(text) if text.trim().is_empty() || text.contains(PLACEHOLDER) => found.push(key.to_owned()),
        serde_json::Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, v)| collect_unwritten(&below(&(i + 1).to_string()), v, found));
        }
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, v)| collect_unwritten(&below(name), v, found)),
        _ => {}
    }
}
