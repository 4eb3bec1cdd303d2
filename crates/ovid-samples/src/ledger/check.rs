//! Whether a ledger is whole: every hash made again, every reference followed.

use std::collections::HashSet;

use ovid_io::{Observer, Progress, digest};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, chain};
use super::{GENESIS, Head, Ledger};
use crate::Error;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCheck {
    /// How far the ledger has come. Write this down elsewhere: it vouches for everything before it.
    pub head: Head,
    /// Samples begun: the tries.
    pub n_samples: u64,
    /// Of these, how many are whole.
    pub n_completed: u64,
    /// Cut short.
    pub n_aborted: u64,
    /// Begun and never ended: still running, or killed.
    pub n_open: u64,
    /// Entries whose clock stood before that of the entry before them. No fault: clocks are set, and order does not come from them.
    pub n_clock_back: u64,
    /// What does not hold; none in a ledger that nobody touched.
    pub faults: Vec<Fault>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The entry, from 1; 0 is the ledger as a whole.
    pub entry: u64,
    /// What is wrong.
    pub what: String,
}

/// After this many faults the rest is not told.
const MOST_FAULTS: usize = 100;

impl Ledger {
    /// Makes every hash again. `known` is a head written down earlier, which must still be part of the chain.
    ///
    /// # Errors
    /// If the ledger cannot be read at all, or the observer cancels.
    pub fn check(&self, known: Option<&Head>, observer: &dyn Observer) -> Result<LedgerCheck, Error> {
        let refuse = Error::database(&self.path);
        // One snapshot for everything, whoever writes meanwhile.
        let _snapshot = self.db.unchecked_transaction().map_err(&refuse)?;
        let head = self.head()?;
        let mut found = LedgerCheck { head, n_samples: 0, n_completed: 0, n_aborted: 0, n_open: 0, n_clock_back: 0, faults: Vec::new() };
        let contents = self.check_contents(&mut found)?;

        let (mut before, mut seq, mut clock) = (GENESIS.to_owned(), 0, 0);
        let mut open = HashSet::new();
        let mut known_found = known.is_none_or(|k| k.n_entries == 0);
        let mut query = self.db.prepare("SELECT seq, body, hash FROM entry ORDER BY seq").map_err(&refuse)?;
        let mut rows = query.query([]).map_err(&refuse)?;
        while let Some(row) = rows.next().map_err(&refuse)? {
            let number: i64 = row.get(0).map_err(&refuse)?;
            let Some(at) = u64::try_from(number).ok().filter(|&at| at > seq) else {
                found.fault(0, format!("there is an entry {number}, which no ledger has"));
                continue;
            };
            let (body, hash): (String, String) = (row.get(1).map_err(&refuse)?, row.get(2).map_err(&refuse)?);
            match at - seq - 1 {
                0 => {}
                1 => found.fault(at, format!("entry {} was removed", at - 1)),
                _ => found.fault(at, format!("the entries {} to {} were removed", seq + 1, at - 1)),
            }
            if at - seq == 1 && chain(&before, &body) != hash {
                found
                    .fault(at, "its hash does not follow from its content and the entry before it: it was changed, or something before it");
            }
            known_found |= known.is_some_and(|k| k.n_entries == at && k.hash == hash);
            match serde_json::from_str(&body) {
                Err(e) => found.fault(at, format!("it cannot be read: {e}")),
                Ok(Entry::Begun { time_ms, prompt, run, .. }) => {
                    found.n_samples += 1;
                    open.insert(at);
                    found.n_clock_back += u64::from(time_ms < clock);
                    clock = time_ms;
                    if !contents.contains(&prompt) || !contents.contains(&run) {
                        found.fault(at, "the prompt or settings that it names were removed or changed");
                    }
                }
                Ok(entry @ (Entry::Completed(_) | Entry::Aborted(_))) => {
                    let (Entry::Completed(ended) | Entry::Aborted(ended)) = &entry else { continue };
                    *if matches!(entry, Entry::Completed(_)) { &mut found.n_completed } else { &mut found.n_aborted } += 1;
                    found.n_clock_back += u64::from(ended.time_ms < clock);
                    clock = ended.time_ms;
                    if !open.remove(&ended.sample) {
                        found.fault(at, format!("it ends sample {}, which is not open", ended.sample));
                    }
                }
            }
            (before, seq) = (hash, at);
            observer.progress(Progress { stage: "checking", done: seq, total: Some(found.head.n_entries), unit: "entries" });
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
        }
        found.n_open = open.len() as u64;
        if (seq, &before) != (found.head.n_entries, &found.head.hash) {
            found.fault(
                0,
                format!(
                    "the last entry is {seq}, but the ledger ended with entry {}: its end was cut off or changed",
                    found.head.n_entries
                ),
            );
        }
        if !known_found {
            found.fault(0, "the head that was given is not part of this ledger: it was written anew, or cut short");
        }
        Ok(found)
    }

    /// The digests of all prompts and settings that are what their digest says.
    fn check_contents(&self, found: &mut LedgerCheck) -> Result<HashSet<String>, Error> {
        let refuse = Error::database(&self.path);
        let mut query = self.db.prepare("SELECT sha256, body FROM content").map_err(&refuse)?;
        let mut rows = query.query([]).map_err(&refuse)?;
        let mut good = HashSet::new();
        while let Some(row) = rows.next().map_err(&refuse)? {
            let (sha256, body): (String, String) = (row.get(0).map_err(&refuse)?, row.get(1).map_err(&refuse)?);
            if digest::sha256(body.as_bytes()) == sha256 {
                good.insert(sha256);
            } else {
                found.fault(0, format!("the prompt or settings {sha256} were changed"));
            }
        }
        Ok(good)
    }
}

impl LedgerCheck {
    fn fault(&mut self, entry: u64, what: impl Into<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { entry, what: what.into() });
        }
    }
}
