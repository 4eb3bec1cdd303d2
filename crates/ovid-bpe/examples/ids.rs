//! Prints the tokens of each document, one line a document: `cargo run --release -p ovid-bpe --example ids -- VOCABULARY DOCUMENTS...`
//!
//! `crates/ovid-bpe-reference/check_tiktoken.py` compares them with Python's tiktoken.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ovid_bpe::Tokenizer;
use ovid_io::documents::{Documents, Limits};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let vocabulary = arguments.next().ok_or("usage: ids VOCABULARY DOCUMENTS...")?;
    let tokenizer = Tokenizer::load(Path::new(&vocabulary))?;
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for document in Documents::open(&files, Limits::default())? {
        let mut line = String::new();
        for id in tokenizer.encode(document?.text.as_bytes()) {
            write!(line, "{id} ")?;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(out.flush()?)
}
