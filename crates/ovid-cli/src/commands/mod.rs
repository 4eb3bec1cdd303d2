//! One file a subcommand.

mod bench;
mod completions;
mod convert;
mod corpus;
mod detect;
mod generate;
mod info;
mod man;
mod overlap;
mod pull;
mod release;
mod samples;
mod score;
mod tokenize;
mod train;
mod watermark;
mod write;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// What `ovid` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    Generate(Box<generate::Generate>),
    Write(Box<write::Interactive>),
    Score(score::Score),
    Tokenize(tokenize::Tokenize),
    Train(Box<train::Train>),
    Convert(convert::Convert),
    Corpus(corpus::Corpus),
    Detect(Box<detect::Detect>),
    Overlap(overlap::Overlap),
    Watermark(watermark::Watermark),
    Samples(samples::Samples),
    Release(release::ReleaseCommand),
    Info(info::Info),
    Pull(pull::Pull),
    Bench(bench::Bench),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Runs the command that was asked for.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let voice = arguments.common.voice();
    match arguments.command {
        Subcommand::Generate(command) => command.run(voice),
        Subcommand::Write(command) => command.run(voice),
        Subcommand::Train(command) => command.run(voice),
        Subcommand::Score(command) => command.run(voice),
        Subcommand::Convert(command) => command.run(voice),
        Subcommand::Corpus(command) => command.run(voice),
        Subcommand::Detect(command) => command.run(voice),
        Subcommand::Overlap(command) => command.run(voice),
        Subcommand::Watermark(command) => command.run(voice),
        Subcommand::Samples(command) => command.run(voice),
        Subcommand::Release(command) => command.run(voice),
        Subcommand::Info(command) => command.run(voice),
        Subcommand::Pull(command) => command.run(voice),
        Subcommand::Bench(command) => command.run(voice),
        Subcommand::Tokenize(command) => command.run(voice),
        Subcommand::Completions(command) => command.run(),
        Subcommand::Man(command) => command.run(voice),
    }
}
