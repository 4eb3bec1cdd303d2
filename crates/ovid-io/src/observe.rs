//! How long work reports progress and learns that it should stop.

/// How far a long piece of work has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// What is being done, for people: `"encoding"`, `"training"`.
    pub stage: &'a str,
    /// Units done so far.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// What a unit is: `"tokens"`, `"bytes"`, `"steps"`.
    pub unit: &'a str,
}

/// What a long function reports to, and asks whether to go on.
pub trait Observer: Sync {
    /// Called often; must be cheap.
    fn progress(&self, _progress: Progress<'_>) {}
    /// A line for people that belongs above the progress bar.
    fn note(&self, _line: &str) {}
    /// True once the work should end cleanly.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that says nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
