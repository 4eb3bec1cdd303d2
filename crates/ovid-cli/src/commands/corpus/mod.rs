//! `ovid corpus`: pages to clean documents to token shards.

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Voice;

mod build;
mod extract;
mod fetch;
mod links;
mod remove;
mod report;

/// Make training text out of links, pages and files, with every choice recorded
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus build corpus.toml -o my-corpus")]
pub struct Corpus {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Links(links::Links),
    Build(build::Build),
    Report(report::Report),
    Remove(remove::Remove),
    Extract(extract::Extract),
    #[command(hide = true)]
    ExtractWorker(extract::ExtractWorker),
    Fetch(fetch::Fetch),
}

impl Corpus {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            What::Links(command) => command.run(voice),
            What::Build(command) => command.run(voice),
            What::Report(command) => command.run(voice),
            What::Remove(command) => command.run(voice),
            What::Extract(command) => command.run(voice),
            What::ExtractWorker(command) => command.run(),
            What::Fetch(command) => command.run(voice),
        }
    }
}
