//! `ovid tokenize encode`: text to token ids.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ovid_bpe::{SpecialPolicy, Tokenizer};

use crate::arguments::ModelChoice;
use crate::failure::Failure;
use crate::input::{self, LastNewline};
use crate::models;
use crate::output::{self, Voice};

/// Turn text into token ids
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid tokenize encode \"So it goes.\"\n  ovid tokenize encode --pieces --file chapter.txt\n  ovid tokenize encode --json --file notes.jsonl"
)]
pub struct Encode {
    /// The text; without it and without --file, standard input
    text: Vec<String>,
    /// Files: plain text, or JSON Lines with `text`; .gz and .zst too; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Vec<PathBuf>,
    #[command(flatten)]
    choice: ModelChoice,
    /// What the spelling of a special token in the text is
    #[arg(long, value_enum, default_value = "text")]
    special: Special,
    /// Show each token with its text instead
    #[arg(long)]
    pieces: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Special {
    /// Text like any other
    Text,
    /// The special token
    Allow,
    /// An error
    Refuse,
}

impl Encode {
    /// Prints one line a text.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let tokenizer = models::tokenizer(&self.choice)?;
        let policy = match self.special {
            Special::Text => SpecialPolicy::Text,
            Special::Allow => SpecialPolicy::Allow,
            Special::Refuse => SpecialPolicy::Refuse,
        };
        for text in input::texts(self.text, &self.file, LastNewline::Kept)? {
            let encoding = tokenizer.encode_offsets(&text?, policy)?;
            if voice.json {
                output::object(&encoding)?;
            } else if self.pieces {
                output::text(&pieces(&tokenizer, &encoding.ids))?;
            } else {
                output::line(&encoding.ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))?;
            }
        }
        Ok(())
    }
}

fn pieces(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    ids.iter().fold(String::new(), |mut lines, &id| {
        let bytes = tokenizer.token_bytes(id).unwrap_or_default();
        let _ = writeln!(lines, "{id:>7}  {:?}", String::from_utf8_lossy(bytes));
        lines
    })
}
