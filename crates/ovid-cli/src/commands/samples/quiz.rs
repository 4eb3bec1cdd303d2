//! `ovid samples quiz`: can a reader tell human from machine text?

use std::path::PathBuf;

use clap::Args;
use ovid_io::atomic::write_atomic;
use ovid_io::documents::{Documents, Limits};
use ovid_samples::quiz;

use crate::failure::Failure;
use crate::machine;
use crate::output::{self, Voice};

/// Write a page for blind reading: human and machine texts mixed, the score kept in the reader's browser
///
/// Both kinds are cut to the same number of words and brought to the same white space. The page needs no network.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid samples quiz --machine dump --human webtext.jsonl -n 20 -o quiz.html")]
pub struct Quiz {
    /// The machine's texts: a ledger, or a dump's folder
    #[arg(long, value_name = "LEDGER|DIR")]
    machine: PathBuf,
    /// Human texts: JSON Lines with `text`, or plain text files; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    human: Vec<PathBuf>,
    /// How many texts, half of them human
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    texts: usize,
    /// Words a text
    #[arg(long, value_name = "N", default_value = "60")]
    words: usize,
    /// What chooses and mixes the texts; drawn and printed where it is not given
    #[arg(long, value_name = "N", help_heading = "Common options")]
    seed: Option<u64>,
    /// The page
    #[arg(long, short, value_name = "FILE", default_value = "quiz.html")]
    out: PathBuf,
}

impl Quiz {
    /// Writes the page.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let seed = machine::seed(self.seed, voice)?;
        let mut human = Vec::new();
        for document in Documents::open(&self.human, Limits::default())? {
            let document = document?;
            human.push((document.text, format!("{} {}", document.source, document.id)));
        }
        let quiz = quiz::Quiz::new(&human, &quiz::machine_texts(&self.machine)?, self.texts, self.words, seed)?;
        let html = quiz.html()?;
        write_atomic(&self.out, |out| std::io::Write::write_all(out, html.as_bytes()))?;
        if voice.json {
            return output::object(&quiz);
        }
        output::line(&format!("{}: {} texts of {} words", self.out.display(), quiz.items.len(), quiz.n_words))
    }
}
