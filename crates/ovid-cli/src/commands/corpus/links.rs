//! `ovid corpus links`: which links of a list are kept.

use std::path::PathBuf;

use clap::Args;
use ovid_corpus::links::{LinkRule, keep_links};
use ovid_io::documents::JsonLinesWriter;

use crate::failure::Failure;
use crate::output::{self, Voice};

/// Keep the outbound links with a good score
///
/// Reads tab-separated text with a header (columns `url` and `score`, found by name) and JSON Lines as in public Reddit dumps, packed or not. A link is kept where it leads away from the
/// list's own site and has a score of 3 or more, as for WebText; each address once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus links submissions.tsv.gz -o kept.jsonl.zst")]
pub struct Links {
    /// Lists of links
    #[arg(required = true, value_name = "LIST")]
    lists: Vec<PathBuf>,
    /// The file for the kept links: JSON Lines; packed where the name ends in .zst or .gz
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The least score
    #[arg(long, value_name = "N", default_value_t = LinkRule::default().min_score, allow_negative_numbers = true)]
    min_score: i64,
    /// Hosts, with all below them, that are the list's own site
    #[arg(long, value_name = "HOST", default_values_t = LinkRule::default().own_hosts)]
    own_host: Vec<String>,
}

impl Links {
    /// Writes the kept links, and says what became of the others.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let rule = LinkRule { min_score: self.min_score, own_hosts: self.own_host };
        let mut out = self.out.as_deref().map(JsonLinesWriter::create).transpose()?;
        let counts = keep_links(&self.lists, &rule, |link| {
            if let Some(out) = &mut out {
                out.write(&link)?;
            }
            Ok(())
        })?;
        if let Some(out) = out {
            out.finish()?;
        }
        if voice.json {
            return output::object(&counts);
        }
        output::line(&format!("{:<14}{:>12}", "lines", output::human_count(counts.n_lines)))?;
        output::line(&format!("{:<14}{:>12}", "kept", output::human_count(counts.n_kept)))?;
        for (reason, n) in &counts.left_out {
            output::line(&format!("{reason:<14}{:>12}", output::human_count(*n)))?;
        }
        Ok(())
    }
}
