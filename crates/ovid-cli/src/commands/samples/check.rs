//! `ovid samples check`: is the ledger whole?

use std::path::PathBuf;

use clap::Args;
use ovid_samples::Ledger;
use ovid_samples::ledger::Head;

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice, human_count};
use crate::progress::Bar;

/// Make every hash of a ledger again: a row that was removed or changed shows
///
/// Exit status 1 where something does not hold. Write the head down elsewhere: given again with --head, it shows a ledger that was cut short or written anew.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid samples check tries.db")]
pub struct Check {
    /// The ledger
    #[arg(value_name = "LEDGER")]
    ledger: PathBuf,
    /// A head that was written down: the number of entries and the hash, as this command prints them
    #[arg(long, value_name = "N:HASH", value_parser = head)]
    head: Option<Head>,
}

fn head(text: &str) -> Result<Head, String> {
    let wrong = || "a head looks like 12:9f86d081884c...".to_owned();
    let (n, hash) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Head { n_entries: n.parse().map_err(|_| wrong())?, hash: hash.to_owned() })
}

impl Check {
    /// Prints what was found.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let found = Ledger::open_to_read(&self.ledger)?.check(self.head.as_ref(), &bar);
        bar.clear();
        let found = found?;
        if voice.json {
            output::object(&found)?;
        } else {
            for fault in &found.faults {
                let place = if fault.entry == 0 { String::new() } else { format!("entry {}: ", fault.entry) };
                output::line(&format!("{place}{}", fault.what))?;
            }
            let [tries, completed, aborted, open] = [found.n_samples, found.n_completed, found.n_aborted, found.n_open].map(human_count);
            output::line(&format!("{tries} tries: {completed} whole, {aborted} cut short, {open} begun and not ended"))?;
            if found.n_clock_back > 0 {
                output::line(&format!("the clock went back {} times; the order of entries does not come from it", found.n_clock_back))?;
            }
            output::line(&format!("head {}:{}", found.head.n_entries, found.head.hash))?;
        }
        if found.faults.is_empty() { Ok(()) } else { Err(Failure::No) }
    }
}
