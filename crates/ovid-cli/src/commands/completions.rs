//! `ovid completions`: what a shell needs to complete ovid's commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid completions bash > ~/.local/share/bash-completion/completions/ovid")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "ovid", &mut script);
        output::raw(&script)
    }
}
