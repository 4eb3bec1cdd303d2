//! The overlap report: how much of each set of documents stands in the training corpus, as `report.json` holds it.

mod form;

pub use form::{
    Comparison, CopiedSpan, FORMAT, Figures, IndexSummary, Interval, ModelId, OverlapReport, RandomStrings, SetFile, SetSummary,
    WorstDocument,
};
