//! `--ledger`: every try taken down before its first token is shown.

use std::path::Path;

use ovid_samples::ledger::{LedgerRecorder, system_clock};
use ovid_samples::{Ledger, tokenizer_sha256};

use crate::failure::Failure;
use crate::models::Loaded;

/// The recorder that writes to a ledger; the ledger is made where there is none.
pub fn open(path: &Path, loaded: &Loaded) -> Result<LedgerRecorder, Failure> {
    Ok(LedgerRecorder::new(Ledger::open(path)?, tokenizer_sha256(&loaded.tokenizer), system_clock))
}
