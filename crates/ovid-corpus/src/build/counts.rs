//! What is counted while a corpus is built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was built; the content of `build.json`, and what `ovid corpus build --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Names the configuration and the inputs.
    pub inputs_sha256: String,
    /// The stages, in the order in which documents went through them; `read` and `extract` stand before those of the configuration.
    pub stages: Vec<StageCounts>,
    /// Documents to learn from.
    pub train: SplitCounts,
    /// Documents held out.
    pub validation: SplitCounts,
}

/// What a stage did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCounts {
    /// Its name.
    pub stage: String,
    /// Documents that reached it.
    pub n_documents: u64,
    /// Bytes of their texts.
    pub n_bytes: u64,
    /// Documents that it changed and kept.
    pub n_changed: u64,
    /// Documents that it kept.
    pub n_kept: u64,
    /// Bytes of what it kept, as it left them.
    pub n_kept_bytes: u64,
    /// Documents that it left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// One side of the split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Documents.
    pub n_documents: u64,
    /// Bytes of their texts.
    pub n_bytes: u64,
    /// Tokens in the shards, those between documents among them; 0 where no shards were made.
    pub n_tokens: u64,
}

impl StageCounts {
    pub(super) fn new(stage: &str) -> Self {
        Self { stage: stage.to_owned(), ..Self::default() }
    }

    pub(super) fn kept(&mut self, n_bytes: usize, n_bytes_left: usize, is_changed: bool) {
        self.n_documents += 1;
        self.n_bytes += n_bytes as u64;
        self.n_kept += 1;
        self.n_kept_bytes += n_bytes_left as u64;
        self.n_changed += u64::from(is_changed);
    }

    pub(super) fn dropped(&mut self, n_bytes: usize, reason: &str) {
        self.n_documents += 1;
        self.n_bytes += n_bytes as u64;
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.n_documents += other.n_documents;
        self.n_bytes += other.n_bytes;
        self.n_changed += other.n_changed;
        self.n_kept += other.n_kept;
        self.n_kept_bytes += other.n_kept_bytes;
        for (reason, n) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += n;
        }
    }
}

impl SplitCounts {
    pub(super) fn add(&mut self, other: &Self) {
        self.n_documents += other.n_documents;
        self.n_bytes += other.n_bytes;
        self.n_tokens += other.n_tokens;
    }
}

/// Adds the counts of a chunk to those of all; the stages of a pass are the same in each of its chunks.
pub(super) fn add_all(sums: &mut Vec<StageCounts>, counts: &[StageCounts]) {
    for (i, of_stage) in counts.iter().enumerate() {
        match sums.get_mut(i) {
            Some(sum) => sum.add(of_stage),
            None => sums.push(of_stage.clone()),
        }
    }
}
