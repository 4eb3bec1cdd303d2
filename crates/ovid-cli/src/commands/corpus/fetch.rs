//! `ovid corpus fetch`: kept links to WARC files.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ovid_corpus::fetch::{self, Options};

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Fetch the pages that kept links lead to
///
/// LINKS are JSON Lines with `url` and, where known, `score`, as `ovid corpus links` writes them. DIR gets pages/ (WARC, packed record by record) and log/ (what became of each
/// link). robots.txt is obeyed; a host is asked one thing at a time, with a pause between. Started again, only links that no log has are asked for.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus fetch kept.jsonl -o crawl --user-agent \"mybot/1.0 (+https://example.org/bot)\"")]
pub struct Fetch {
    /// Files of links
    #[arg(required = true, value_name = "LINKS")]
    links: Vec<PathBuf>,
    /// The folder for pages and log
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Who asks: a name, and where its owner is found [default: ovid/VERSION and this project's address]
    #[arg(long, value_name = "NAME/VERSION (+URL)", value_parser = user_agent)]
    user_agent: Option<String>,
    /// Seconds between two requests to a host; a longer Crawl-delay in robots.txt counts instead
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    pause: f64,
    /// Seconds that one request may take
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
    /// The largest page as it is served, in MiB
    #[arg(long, value_name = "MIB", default_value = "8")]
    largest: NonZeroU64,
    /// How much to take from one host, in MiB
    #[arg(long, value_name = "MIB", default_value = "256")]
    per_host: NonZeroU64,
    /// Redirects that a link may take
    #[arg(long, value_name = "N", default_value_t = 5)]
    redirects: u32,
    /// Hosts to ask at a time
    #[arg(long, value_name = "N", default_value = "16")]
    connections: NonZeroUsize,
    /// Ask this machine and private networks too
    #[arg(long)]
    allow_private: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s: &f64| (0.0..=86_400.0).contains(s)).ok_or_else(|| "a number of seconds up to 86400".into())
}

fn user_agent(text: &str) -> Result<String, String> {
    let named = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if named { Ok(text.to_owned()) } else { Err("a name of printable ASCII characters".into()) }
}

impl Fetch {
    /// Fetches, and says what came of it.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let mib = |n: NonZeroU64| n.get().saturating_mul(1 << 20);
        let defaults = Options::default();
        let options = Options {
            user_agent: self.user_agent.unwrap_or(defaults.user_agent),
            pause: Duration::from_secs_f64(self.pause),
            timeout: Duration::from_secs_f64(self.timeout),
            page_bytes: mib(self.largest),
            host_bytes: mib(self.per_host),
            redirects: self.redirects,
            n_connections: self.connections.get(),
            allow_private: self.allow_private,
        };
        let report = fetch::fetch(&self.links, &self.out, &options, &bar)?;
        bar.clear();
        if voice.json {
            return output::object(&report);
        }
        voice.say(&format!("{:<12}{}, {}", "fetched", output::human_count(report.n_fetched), output::human_bytes(report.n_bytes)));
        if report.n_before > 0 {
            voice.say(&format!("{:<12}{}", "before", output::human_count(report.n_before)));
        }
        for (reason, n) in &report.failed {
            voice.say(&format!("{reason:<12}{}", output::human_count(*n)));
        }
        Ok(())
    }
}
