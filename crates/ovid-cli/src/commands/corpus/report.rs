//! `ovid corpus report`: what a built corpus holds.

use std::path::PathBuf;

use clap::Args;
use ovid_corpus::report::{Count, Report as Found, report};

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Show a built corpus: domains, lengths, languages, and what was left out by which cause
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus report my-corpus -o my-corpus/report")]
pub struct Report {
    /// The corpus's folder
    #[arg(value_name = "DIR")]
    corpus: PathBuf,
    /// Write the tables as CSV and the figures as SVG into this folder, too
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Domains to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

impl Report {
    /// Reads all documents and prints the tables.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let found = report(&self.corpus, &bar)?;
        bar.clear();
        if let Some(out) = &self.out {
            found.write(out)?;
        }
        if voice.json { output::object(&found) } else { show(&found, self.top) }
    }
}

fn show(found: &Found, top: usize) -> Result<(), Failure> {
    output::line(&format!(
        "{} documents, {} bytes, {} domains",
        output::human_count(found.n_documents),
        output::human_count(found.n_bytes),
        output::human_count(found.n_domains)
    ))?;
    table("domain", &found.domains[..top.min(found.domains.len())])?;
    table("language", &found.languages)?;
    table("source", &found.sources)?;
    output::line(&format!("\n{:<34}{:>12}", "percent of documents", "bytes, most"))?;
    for (percent, length) in &found.length_percentiles {
        output::line(&format!("{percent:<34}{:>12}", output::human_count(*length)))?;
    }
    output::line(format!("\n{:<34}{:>12}  {}", "left out by", "documents", "threshold").trim_end())?;
    for drop in &found.drops {
        let cause = format!("{}: {}", drop.stage, drop.reason);
        output::line(format!("{cause:<34}{:>12}  {}", output::human_count(drop.n_documents), drop.threshold).trim_end())?;
    }
    Ok(())
}

fn table(what: &str, counts: &[Count]) -> Result<(), Failure> {
    output::line(&format!("\n{what:<34}{:>12}{:>16}", "documents", "bytes"))?;
    for count in counts {
        output::line(&format!(
            "{:<34}{:>12}{:>16}",
            count.name,
            output::human_count(count.n_documents),
            output::human_count(count.n_bytes)
        ))?;
    }
    Ok(())
}
