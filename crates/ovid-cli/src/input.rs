//! Texts that a command is given: on the command line, in files, or on standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use ovid_io::documents::{Documents, Limits};

use crate::failure::Failure;

/// Texts as bytes, each read when it is asked for.
type Texts = Box<dyn Iterator<Item = Result<Vec<u8>, Failure>>>;

/// The texts, one after the other: those typed, else those of the files, else standard input as one.
pub fn texts(typed: Vec<String>, files: &[PathBuf]) -> Result<Texts, Failure> {
    if !typed.is_empty() {
        return Ok(Box::new(typed.into_iter().map(|t| Ok(t.into_bytes()))));
    }
    if files.is_empty() {
        return Ok(Box::new(std::iter::once(stdin())));
    }
    let mut all: Vec<Texts> = Vec::new();
    for file in files {
        if file == Path::new("-") {
            all.push(Box::new(std::iter::once_with(stdin)));
        } else {
            let documents = Documents::open(std::slice::from_ref(file), Limits::default())?;
            all.push(Box::new(documents.map(|d| Ok(d?.text.into_bytes()))));
        }
    }
    Ok(Box::new(all.into_iter().flatten()))
}

/// All of standard input.
pub fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match std::io::stdin().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => Err(Failure::Machine { message: format!("cannot read standard input: {e}"), hint: None }),
    }
}
