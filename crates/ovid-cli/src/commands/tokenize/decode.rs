//! `ovid tokenize decode`: token ids to text.

use std::io::{IsTerminal, Read};

use clap::Args;
use ovid_bpe::Decoded;

use crate::arguments::ModelChoice;
use crate::failure::Failure;
use crate::models;
use crate::output::{self, Voice};

/// Turn token ids into text
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ovid tokenize decode 2396 340 2925 13\n  ovid tokenize encode \"So it goes.\" | ovid tokenize decode")]
pub struct Decode {
    /// The ids; without them, standard input, separated by spaces, commas or lines
    ids: Vec<u32>,
    #[command(flatten)]
    choice: ModelChoice,
}

impl Decode {
    /// Prints the bytes as they are, with a newline behind them only for people.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let ids = if self.ids.is_empty() { from_stdin()? } else { self.ids };
        let bytes = models::tokenizer(&self.choice)?.decode(&ids)?;
        if voice.json {
            return output::object(&Decoded::from(bytes));
        }
        output::raw(&bytes)?;
        if std::io::stdout().is_terminal() { output::line("") } else { Ok(()) }
    }
}

fn from_stdin() -> Result<Vec<u32>, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| Failure::input(format!("standard input: {e}")))?;
    let words = text.split(|c: char| c.is_whitespace() || ",[]".contains(c)).filter(|w| !w.is_empty());
    words.map(|w| w.parse().map_err(|_| Failure::input(format!("standard input: '{w}' is no token id")))).collect()
}
