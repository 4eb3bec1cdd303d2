//! The stages that look at one document: pure functions from a document to an outcome.
//!
//! [`Stages`] runs several in a row. They hold no state between documents, so that a cluster engine may call them on any part of the corpus in any order.

mod language;
mod lines;
mod links;
mod mojibake;
mod quality;
mod repair;
mod wikipedia;

pub use language::LanguageRule;
pub use lines::RepeatedLinesRule;
pub use links::LinksRule;
pub use quality::Quality;
pub use repair::RepairRule;
pub use wikipedia::WikipediaRule;

use crate::config::StageRule;
use crate::links::Scores;
use crate::{Document, Error, Outcome, Row};

/// What a stage says of a document that it leaves out: the reason's name and the particulars.
pub type Refusal = (&'static str, String);

/// One stage, with what it needs in memory.
#[derive(Clone, Debug)]
enum Stage {
    Links(LinksRule, Scores),
    Repair(RepairRule),
    Language(LanguageRule),
    Wikipedia(WikipediaRule),
    Quality(Quality),
    RepeatedLines(RepeatedLinesRule),
}

/// Stages in a row.
///
/// ```
/// use ovid_corpus::{Document, Outcome, clean::Stages, config::StageRule};
/// let stages = Stages::new(&[StageRule::Repair(Default::default())]).unwrap();
/// let document = Document { text: "donâ€™t\r\n".into(), ..Document::default() };
/// let Outcome::Kept(document) = stages.apply(document) else { panic!() };
/// assert_eq!(document.text, "don’t\n");
/// assert_eq!(document.touched[0].stage, "repair");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stages(Vec<Stage>);

impl Stages {
    /// Makes the stages ready. Rules that need more than one document (duplicates, likeness to given articles) are passed over.
    ///
    /// # Errors
    /// If a list of links cannot be read.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a StageRule>) -> Result<Self, Error> {
        let stage = |rule: &StageRule| -> Result<Option<Stage>, Error> {
            Ok(match rule.clone() {
                StageRule::Links(rule) => Some(Stage::Links(rule.clone(), Scores::read(&rule.lists, &rule.rule())?)),
                StageRule::Repair(rule) => Some(Stage::Repair(rule)),
                StageRule::Language(rule) => Some(Stage::Language(rule)),
                StageRule::Wikipedia(rule) => Some(Stage::Wikipedia(rule)),
                StageRule::Quality(rule) => Some(Stage::Quality(rule)),
                StageRule::RepeatedLines(rule) => Some(Stage::RepeatedLines(rule)),
                StageRule::ExactDuplicates(_) | StageRule::NearDuplicates(_) => None,
            })
        };
        rules.into_iter().filter_map(|rule| stage(rule).transpose()).collect::<Result<_, _>>().map(Self)
    }

    /// Runs them over a document.
    pub fn apply(&self, document: Document) -> Outcome {
        self.apply_watched(document, |_, _, _, _| {})
    }

    /// Runs them, telling `watch` of each one the name, the bytes that it was given, the bytes that it left, and the row where it left the document out.
    pub(crate) fn apply_watched(
        &self,
        mut document: Document,
        mut watch: impl FnMut(&'static str, usize, Change, Option<&Row>),
    ) -> Outcome {
        for stage in &self.0 {
            let (before, n_touched) = (document.text.len(), document.touched.len());
            match stage.judge(&mut document) {
                Ok(()) => {
                    let change = Change { n_bytes: document.text.len(), touched: document.touched.len() > n_touched };
                    watch(stage.name(), before, change, None);
                }
                Err((reason, detail)) => {
                    let row = document.row(stage.name(), reason, detail);
                    watch(stage.name(), before, Change { n_bytes: 0, touched: false }, Some(&row));
                    return Outcome::Dropped(row);
                }
            }
        }
        Outcome::Kept(document)
    }
}

/// What a stage made of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub n_bytes: usize,
    pub touched: bool,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Links(..) => "links",
            Self::Repair(_) => "repair",
            Self::Language(_) => "language",
            Self::Wikipedia(_) => "wikipedia",
            Self::Quality(_) => "quality",
            Self::RepeatedLines(_) => "repeated-lines",
        }
    }

    fn judge(&self, document: &mut Document) -> Result<(), Refusal> {
        match self {
            Self::Links(rule, scores) => rule.judge(scores, document),
            Self::Repair(rule) => rule.judge(document),
            Self::Language(rule) => rule.judge(document),
            Self::Wikipedia(rule) => rule.judge(document),
            Self::Quality(rule) => rule.judge(document),
            Self::RepeatedLines(rule) => {
                rule.judge(document);
                Ok(())
            }
        }
    }
}
