//! Texts that a command is given: on the command line, in files, or on standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use ovid_io::documents::{Documents, Form, JsonLinesWriter, Limits, is_stdin};

use crate::failure::Failure;

/// Texts as bytes, each read when it is asked for.
type Texts = Box<dyn Iterator<Item = Result<Vec<u8>, Failure>>>;

/// What becomes of the newline that `echo` and editors put at the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastNewline {
    /// It is part of the text.
    Kept,
    /// One is cut off, where the text is standard input or a plain file: who continues a text goes on in its last line.
    Cut,
}

impl LastNewline {
    fn of(self, mut text: Vec<u8>) -> Vec<u8> {
        if self == Self::Cut && text.ends_with(b"\n") {
            text.pop();
        }
        text
    }
}

/// The texts, one after the other: those typed, else those of the files, else standard input as one.
pub fn texts(typed: Vec<String>, files: &[PathBuf], newline: LastNewline) -> Result<Texts, Failure> {
    if !typed.is_empty() {
        return Ok(Box::new(typed.into_iter().map(|t| Ok(t.into_bytes()))));
    }
    if files.is_empty() {
        return Ok(Box::new(std::iter::once(stdin().map(|t| newline.of(t)))));
    }
    let mut all: Vec<Texts> = Vec::new();
    for file in files {
        if is_stdin(file) {
            all.push(Box::new(std::iter::once_with(move || stdin().map(|t| newline.of(t)))));
        } else {
            let documents = Documents::open(std::slice::from_ref(file), Limits::default())?;
            all.push(Box::new(documents.map(move |document| {
                let document = document?;
                let newline = if Form::of(&document.file) == Form::Text { newline } else { LastNewline::Kept };
                Ok(newline.of(document.text.into_bytes()))
            })));
        }
    }
    Ok(Box::new(all.into_iter().flatten()))
}

/// Files and folders for what reads them more than once: standard input (`-`) is written into `folder` first.
pub fn rereadable(paths: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let rereadable = |path: &PathBuf| {
        if !is_stdin(path) {
            return Ok(path.clone());
        }
        std::fs::create_dir_all(folder).map_err(|e| ovid_io::Error::io(folder, "make", e))?;
        let copy = folder.join("standard input.jsonl.zst");
        let mut out = JsonLinesWriter::create(&copy)?;
        for document in Documents::open(&[path], Limits::default())? {
            let document = document?;
            out.write(
                &serde_json::json!({ "text": document.text, "source": document.source, "id": document.id, "title": document.title }),
            )?;
        }
        out.finish()?;
        Ok(copy)
    };
    paths.iter().map(rereadable).collect()
}

/// All of standard input.
pub fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match std::io::stdin().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => Err(Failure::Machine { message: format!("cannot read standard input: {e}"), hint: None }),
    }
}
