//! `ovid corpus build`: a configuration and its inputs to documents, rows and shards.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use ovid_corpus::build::{Build as Built, SplitCounts};
use ovid_corpus::config::Config;
use ovid_corpus::extract::{PageLimits, Workers};

use crate::arguments::ModelChoice;
use crate::failure::Failure;
use crate::interrupt;
use crate::machine;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Build a corpus: the inputs and stages of a TOML file to documents and token shards
///
/// DIR gets documents/ (training and validation apart), dropped.jsonl.zst (a row with a reason for every document that was left out), shards/ where a tokenizer is named, the configuration as it
/// was resolved, and build.json. A build that was stopped, by Ctrl-C or by a power cut, goes on with the same command and ends in the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus build corpus.toml -o my-corpus")]
pub struct Build {
    /// The configuration
    #[arg(value_name = "TOML")]
    recipe: PathBuf,
    /// The folder for the corpus
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Threads to work with [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    threads: Option<NonZeroUsize>,
}

impl Build {
    /// Builds, and shows what each stage did.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let config = Config::load(&self.recipe)?;
        let tokenizer = config.output.tokenizer.as_deref().map(tokenizer).transpose()?;
        let n_threads = self.threads.or(NonZeroUsize::new(machine::physical_cores())).unwrap_or(NonZeroUsize::MIN);
        let program = std::env::current_exe()
            .map_err(|e| Failure::Machine { message: format!("cannot find this program's own file: {e}"), hint: None })?;
        let workers = Workers {
            program,
            arguments: vec!["corpus".into(), "extract-worker".into()],
            n_workers: n_threads,
            limits: PageLimits::default(),
            settings: config.extract,
        };
        let built = ovid_corpus::build::build(&config, tokenizer.as_ref(), &workers, &self.out, n_threads.get(), &bar)?;
        bar.clear();
        if voice.json { output::object(&built) } else { show(&built) }
    }
}

/// A path, a fetched model's name, or the built-in model's.
fn tokenizer(name: &str) -> Result<ovid_bpe::Tokenizer, Failure> {
    if name == ovid_mini::NAME {
        return models::tokenizer(&ModelChoice { model: None, tokenizer: None });
    }
    models::tokenizer(&ModelChoice { model: None, tokenizer: Some(name.into()) })
}

fn show(built: &Built) -> Result<(), Failure> {
    output::line(&format!("{:<18}{:>12}{:>16}{:>12}{:>12}", "stage", "documents", "bytes", "changed", "left out"))?;
    for stage in &built.stages {
        let n_dropped: u64 = stage.dropped.values().sum();
        let [n, bytes, changed, dropped] = [stage.n_documents, stage.n_bytes, stage.n_changed, n_dropped].map(output::human_count);
        output::line(&format!("{:<18}{n:>12}{bytes:>16}{changed:>12}{dropped:>12}", stage.stage))?;
    }
    for (side, SplitCounts { n_documents, n_bytes, n_tokens }) in [("training", built.train), ("validation", built.validation)] {
        let [n, bytes, tokens] = [n_documents, n_bytes, n_tokens].map(output::human_count);
        output::line(
            format!("{side:<18}{n:>12}{bytes:>16}{:>24}", if n_tokens > 0 { format!("{tokens} tokens") } else { String::new() }).trim_end(),
        )?;
    }
    Ok(())
}
