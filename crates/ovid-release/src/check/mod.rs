//! The gate: every item of the checklist held against the folder and the weights. Nothing is guessed: what cannot be shown is missing.

mod program;
mod report;
mod samples;

use std::path::PathBuf;

use ovid_io::Observer;
use ovid_model::{Cpu, Unit};
use serde::{Deserialize, Serialize};

use crate::checklist::Item;
use crate::record::{self, Record};
use crate::statement;
use crate::{Error, Evidence, Identity, Release, Stage};

/// How a check is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The stage that is asked for.
    pub stage: Stage,
    /// Samples of the dump that are made again.
    pub n_samples: u32,
    /// Which ones.
    pub seed: u64,
    /// Threads to compute with.
    pub n_threads: usize,
    /// The vector unit; the fastest there is where none is named.
    pub unit: Option<Unit>,
}

impl Options {
    /// What computes.
    pub(crate) fn device(&self) -> Result<Cpu, Error> {
        let Some(unit) = self.unit else { return Ok(Cpu::new(self.n_threads)) };
        Ok(Cpu::with_unit(self.n_threads, unit).map_err(ovid_model::Error::from)?)
    }
}

/// Which model the evidence is held against.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its identity.
    pub identity: Identity,
    /// Where its files are, for what must run it; `None` where only its identity is known (an export in another form).
    pub files: Option<(PathBuf, Option<PathBuf>)>,
}

impl Subject {
    /// The model that a release folder names.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(release: &Release, observer: &dyn Observer) -> Result<Self, Error> {
        let (model, tokenizer) = (release.model(), release.tokenizer());
        Ok(Self { identity: Identity::of(&model, tokenizer.as_deref(), observer)?, files: Some((model, tokenizer)) })
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether everything that the stage asks for was found.
    pub passed: bool,
    /// The model's name.
    pub name: String,
    /// The version of the release.
    pub version: String,
    /// The stage that was asked for.
    pub stage: Stage,
    /// The model's digest.
    pub model_sha256: String,
    /// What chose the samples that were made again.
    pub seed: u64,
    /// One an item, in the order of the checklist.
    pub items: Vec<ItemReport>,
}

/// What was found of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemReport {
    /// The item.
    pub id: String,
    /// What must hold.
    pub title: String,
    /// Whether it does.
    pub status: Status,
    /// What was found, where it holds.
    pub found: Option<String>,
    /// What is missing, where it does not.
    pub missing: Vec<String>,
    /// How the evidence is made.
    pub make: String,
    /// The file that was looked at, and its SHA-256.
    pub evidence: Option<(String, String)>,
}

/// Whether an item holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Passed,
    /// It does not.
    Failed,
    /// A later stage asks for it.
    NotNeeded,
    /// It cannot be looked at here: the form of the export does not hold what it takes.
    NotChecked,
}

/// What an item's check comes to.
pub(crate) enum Finding {
    Holds { found: String, evidence: Option<(String, String)> },
    Missing { causes: Vec<String>, evidence: Option<(String, String)> },
    NotChecked(String),
}

impl Finding {
    fn holds(found: impl Into<String>) -> Self {
        Self::Holds { found: found.into(), evidence: None }
    }

    fn missing(cause: impl Into<String>) -> Self {
        Self::Missing { causes: vec![cause.into()], evidence: None }
    }
}

/// What the checks of items have in common.
pub(crate) struct Context<'a> {
    release: &'a Release,
    subject: &'a Subject,
    options: &'a Options,
    record: Result<Record, String>,
    observer: &'a dyn Observer,
}

/// Checks a release folder for a stage.
///
/// # Errors
/// If something cannot be read or run; that an item does not hold is the answer and no error.
pub fn check(release: &Release, subject: &Subject, options: &Options, observer: &dyn Observer) -> Result<CheckReport, Error> {
    let record = record::read(&release.folder, &release.signers, options.stage);
    let context = Context { release, subject, options, record, observer };
    let mut items = Vec::new();
    for item in &release.checklist.item {
        items.push(context.item(item)?);
    }
    Ok(CheckReport {
        passed: items.iter().all(|item| item.status != Status::Failed),
        name: release.plan.name.clone(),
        version: release.plan.version.clone(),
        stage: options.stage,
        model_sha256: subject.identity.sha256.clone(),
        seed: options.seed,
        items,
    })
}

impl Context<'_> {
    fn item(&self, item: &Item) -> Result<ItemReport, Error> {
        let mut report = ItemReport {
            id: item.id.clone(),
            title: item.title.clone(),
            status: Status::NotNeeded,
            found: None,
            missing: Vec::new(),
            make: item.make.clone(),
            evidence: None,
        };
        if item.from > self.options.stage {
            report.found = Some(format!("from the stage {} on", item.from));
            return Ok(report);
        }
        let finding = if let Some(program) = item.program {
            self.program(program)?
        } else if let Some(wanted) = &item.report {
            self.report(wanted)?
        } else if let Some(wanted) = &item.samples {
            self.samples(wanted)?
        } else {
            self.statement(item)
        };
        (report.status, report.found, report.missing, report.evidence) = match finding {
            Finding::Holds { found, evidence } => (Status::Passed, Some(found), Vec::new(), evidence),
            Finding::Missing { causes, evidence } => (Status::Failed, None, causes, evidence),
            Finding::NotChecked(why) => (Status::NotChecked, Some(why), Vec::new(), None),
        };
        Ok(report)
    }

    fn statement(&self, item: &Item) -> Finding {
        match statement::read(&self.release.folder, &self.release.signers, item, self.options.stage, &self.subject.identity.sha256) {
            Ok(statement) => {
                let kind = if statement.kind == crate::keys::Kind::Person { "" } else { " (automatic)" };
                Finding::holds(format!("stated by {}{kind} on {}", statement.signer, statement.date))
            }
            Err(cause) => Finding::missing(cause),
        }
    }

    /// A file of evidence, or the reason why it is none.
    fn evidence(&self, file: &str) -> Result<Evidence, String> {
        match Evidence::read(&self.release.folder, file) {
            Ok(Some(evidence)) => Ok(evidence),
            Ok(None) => Err(format!("{file} is missing")),
            Err(e) => Err(e.to_string()),
        }
    }
}
