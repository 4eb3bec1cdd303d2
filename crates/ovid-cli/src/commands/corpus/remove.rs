//! `ovid corpus remove`: takedown.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use ovid_corpus::remove::{Asked, REMOVED, remove};

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Remove documents from a built corpus and from the token shards made of it
///
/// What was asked and done is recorded in removed.jsonl; no text of a removed document is kept. A removal that was cut off is finished by the next one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid corpus remove my-corpus --url https://example.org/page\n  ovid corpus remove my-corpus --domain example.org --shards other-shards"
)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["url", "domain", "id"])))]
pub struct Remove {
    /// The corpus's folder
    #[arg(value_name = "DIR")]
    corpus: PathBuf,
    /// The document of this address
    #[arg(long, value_name = "URL")]
    url: Vec<String>,
    /// All documents of this domain and of the hosts below it
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// The document of this name: ID, or SOURCE/ID
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Other folders of token shards made of these documents, each with its tokenizer/
    #[arg(long, value_name = "DIR")]
    shards: Vec<PathBuf>,
}

impl Remove {
    /// Removes, and says what was.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let asked = Asked { urls: self.url, domains: self.domain, ids: self.id };
        let removal = remove(&self.corpus, &asked, &self.shards, &now(), &bar)?;
        bar.clear();
        if voice.json {
            output::object(&removal)?;
        }
        if removal.documents.is_empty() {
            return Err(Failure::input(format!("'{}' holds no such document", self.corpus.display())));
        }
        if voice.json {
            return Ok(());
        }
        for document in &removal.documents {
            let url = document.url.as_deref().unwrap_or_default();
            output::line(format!("removed {}/{} {url}", document.source, document.id).trim_end())?;
        }
        for cleared in &removal.shards {
            let lost = if cleared.n_not_found > 0 { format!(", {} not found in them", cleared.n_not_found) } else { String::new() };
            let n_tokens = output::human_count(cleared.n_tokens);
            output::line(&format!("{}: {} documents, {n_tokens} tokens removed{lost}", cleared.folder.display(), cleared.n_documents))?;
        }
        voice.say(&format!("recorded in {}", self.corpus.join(REMOVED).display()));
        Ok(())
    }
}

/// The time as ISO 8601, in UTC. Days to dates by the proleptic Gregorian calendar, the year beginning in March so that the leap day is its last.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}
