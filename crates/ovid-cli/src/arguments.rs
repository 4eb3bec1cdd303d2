//! The flag table: help, man pages, completions and configuration files all come from it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::commands::Subcommand;
use crate::config;
use crate::failure::Failure;
use crate::machine;
use crate::output::Voice;

/// GPT-2 in one program: write from a seed text, train, measure, convert.
#[derive(Debug, Parser)]
#[command(name = "ovid", version, max_term_width = 110, arg_required_else_help = true, subcommand_required = true, infer_long_args = false)]
#[command(after_help = "Exit status: 0 done, 1 the answer is no, 2 wrong usage or bad input, 3 could not be done, 130 Ctrl-C.")]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Subcommand,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print JSON Lines on stdout, and nothing else there
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// Print nothing on stderr but errors
    #[arg(long, short, global = true, help_heading = "Common options")]
    pub quiet: bool,
    /// Take flags from a TOML file: top-k = 40; what is typed wins
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub config: Option<PathBuf>,
}

impl Common {
    /// How the command speaks.
    pub fn voice(&self) -> Voice {
        Voice { json: self.json, quiet: self.quiet }
    }
}

/// Which model, and whose tokenizer.
#[derive(Clone, Debug, Args)]
pub struct ModelChoice {
    /// A Hugging Face folder, a TensorFlow checkpoint folder, a GGUF file, or a name fetched by `ovid pull`; without it, the built-in model
    #[arg(long, short, value_name = "NAME|FOLDER|GGUF")]
    pub model: Option<String>,
    /// Take the tokenizer from another folder, tokenizer.json or GGUF file
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<PathBuf>,
}

/// On what the arithmetic runs.
#[derive(Clone, Debug, Args)]
pub struct Machine {
    /// Where to compute
    #[arg(long, value_name = "auto|cpu", default_value = "auto", help_heading = "Common options")]
    pub device: Device,
    /// Threads to compute with [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    pub threads: Option<NonZeroUsize>,
}

impl Machine {
    /// How many threads to compute with.
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(machine::physical_cores, NonZeroUsize::get)
    }
}

/// A device that this build can compute on.
#[derive(Clone, Copy, Debug)]
pub enum Device {
    /// The best there is: the CPU.
    Auto,
    /// The CPU.
    Cpu,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            _ if text == "cuda" || text.starts_with("cuda:") => Err("this build of ovid has no CUDA yet; use --device cpu".into()),
            _ => Err("the devices are auto and cpu".into()),
        }
    }
}

/// The command line as it was typed, with the keys of its configuration file.
pub fn parse() -> Result<Arguments, Failure> {
    let command = Arguments::command().args_override_self(true);
    let typed = std::env::args_os().collect();
    let merged = config::merge(&command, typed)?;
    let matches = command.try_get_matches_from(merged).map_err(Failure::Usage)?;
    Arguments::from_arg_matches(&matches).map_err(Failure::Usage)
}
