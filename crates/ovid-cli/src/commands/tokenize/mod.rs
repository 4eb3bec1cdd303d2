//! `ovid tokenize`: text to tokens and back, vocabularies, token shards.

mod decode;
mod encode;
mod shard;
mod train;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Voice;

/// Turn text into tokens and back, train a vocabulary, write token shards
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid tokenize encode --tokenizer gpt2 \"So it goes.\"")]
pub struct Tokenize {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Encode(encode::Encode),
    Decode(decode::Decode),
    Train(train::Train),
    Shard(shard::Shard),
}

impl Tokenize {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Encode(command) => command.run(voice),
            What::Decode(command) => command.run(voice),
            What::Train(command) => command.run(voice),
            What::Shard(command) => command.run(voice),
        }
    }
}
