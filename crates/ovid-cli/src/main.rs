//! The command `ovid`. Each subcommand has a file in `commands/`: its arguments, its run, its rendering; what it does is in the libraries.
//!
//! stdout is for data and text, stderr for talk. Exit status: 0 done, 1 the answer is no, 2 wrong usage or bad input, 3 could not be done, 130 Ctrl-C.

// The doc comments of flags are the help that people read in a terminal, where backquotes are noise.
#![allow(clippy::doc_markdown)]

mod arguments;
mod commands;
mod config;
mod failure;
mod input;
mod interrupt;
mod ledger;
mod machine;
mod models;
mod output;
mod progress;
mod sampling;
mod stream;
mod watermark;

use std::process::ExitCode;

fn main() -> ExitCode {
    failure::catch_faults();
    interrupt::listen();
    match arguments::parse().and_then(commands::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
