//! `ovid watermark`: keys, and texts that bear their mark.

mod detect;
mod keygen;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Voice;

/// Make watermark keys, and say whether a text bears a key's mark
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ovid watermark keygen spring.key\n  ovid generate --watermark spring.key \"So it goes.\" > page.txt\n  ovid watermark detect --key spring.key page.txt"
)]
pub struct Watermark {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Keygen(keygen::Keygen),
    Detect(Box<detect::Detect>),
}

impl Watermark {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Keygen(command) => command.run(voice),
            What::Detect(command) => command.run(voice),
        }
    }
}
