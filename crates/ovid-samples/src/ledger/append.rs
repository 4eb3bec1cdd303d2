//! Writing to the ledger: entries at its end, in transactions that wait for other writers.

use ovid_generate::{Completion, Origin, Recorder, Request};
use ovid_io::digest;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::entry::{Ended, Entry, Prompt, Run, chain};
use super::{Clock, Head, Ledger};
use crate::Error;

/// The recorder of a run: a ledger, a clock, and what the engine's requests do not say.
pub struct LedgerRecorder {
    ledger: Ledger,
    clock: Clock,
    tokenizer_sha256: String,
}

impl LedgerRecorder {
    /// Takes down samples whose tokens are those of the tokenizer with this digest ([`crate::tokenizer_sha256`]).
    pub fn new(ledger: Ledger, tokenizer_sha256: String, clock: Clock) -> Self {
        Self { ledger, clock, tokenizer_sha256 }
    }

    /// The ledger behind it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl Recorder for LedgerRecorder {
    type Error = Error;

    fn begin(&mut self, prompt: &str, request: &Request, origin: &Origin) -> Result<Vec<u64>, Error> {
        let prompt = Prompt { text: prompt.to_owned(), ids: request.prompt.clone() };
        let run = Run {
            model: origin.model.clone(),
            tokenizer_sha256: self.tokenizer_sha256.clone(),
            sampler: request.settings.clone(),
            watermark: request.watermark.as_ref().map(ovid_watermark::Watermark::mark),
            logprobs: request.logprobs,
            arithmetic: origin.arithmetic.clone(),
            device: origin.device.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let time_ms = (self.clock)();
        self.ledger.append(|at| {
            let (prompt, run) = (at.content(&prompt)?, at.content(&run)?);
            let seeds = (0..u64::from(request.n_samples.get())).map(|i| request.seed.wrapping_add(i));
            seeds.map(|seed| at.entry(&Entry::Begun { time_ms, prompt: prompt.clone(), run: run.clone(), seed })).collect()
        })
    }

    fn complete(&mut self, sample: u64, completion: &Completion) -> Result<(), Error> {
        let ended = Ended::new(sample, (self.clock)(), Some(completion));
        self.ledger.append(|at| at.end(sample, &Entry::Completed(ended)))
    }

    fn abort(&mut self, sample: u64, so_far: Option<&Completion>) -> Result<(), Error> {
        let ended = Ended::new(sample, (self.clock)(), so_far);
        self.ledger.append(|at| at.end(sample, &Entry::Aborted(ended)))
    }
}

impl Ledger {
    /// Appends in one transaction: all of it is in the ledger when this returns, or nothing.
    pub(crate) fn append<T>(&mut self, write: impl FnOnce(&mut Appender<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let path = self.path.clone();
        let refuse = Error::database(&path);
        let head = |at: &Transaction<'_>| {
            let row = |row: &rusqlite::Row<'_>| Ok(Head { n_entries: row.get::<_, i64>(0)? as u64, hash: row.get(1)? });
            at.query_row("SELECT n_entries, hash FROM head", [], row).optional()
        };
        let db = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&refuse)?;
        let head =
            head(&db).map_err(&refuse)?.ok_or_else(|| Error::broken(&path, 0, "the line that says how long the ledger is was removed"))?;
        // Nothing is built on an end that was tampered with.
        let last: Option<(i64, String)> = db
            .query_row("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(&refuse)?;
        if last.as_ref().map_or(0, |l| l.0 as u64) != head.n_entries || last.is_some_and(|l| l.1 != head.hash) {
            return Err(Error::broken(
                &path,
                head.n_entries,
                "the last entry is not the one that the ledger ended with: it was removed or changed",
            ));
        }
        let mut at = Appender { db, head, path: &path };
        let done = write(&mut at)?;
        let Appender { db, head, .. } = at;
        db.execute("UPDATE head SET n_entries = ?1, hash = ?2", params![head.n_entries as i64, head.hash]).map_err(&refuse)?;
        db.commit().map_err(&refuse)?;
        Ok(done)
    }

    /// Fills the ledger with whole samples in one transaction: what moves records in from elsewhere. Gives the number of the first.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub fn append_whole(
        &mut self,
        run: &Run,
        samples: impl IntoIterator<Item = (Prompt, u64, Completion)>,
        clock: Clock,
    ) -> Result<u64, Error> {
        self.append(|at| {
            let first = at.head.n_entries + 1;
            let run = at.content(run)?;
            for (prompt, seed, completion) in samples {
                let prompt = at.content(&prompt)?;
                let sample = at.entry(&Entry::Begun { time_ms: clock(), prompt, run: run.clone(), seed })?;
                at.entry(&Entry::Completed(Ended::new(sample, clock(), Some(&completion))))?;
            }
            Ok(first)
        })
    }
}

/// A transaction at the end of a ledger.
pub(crate) struct Appender<'a> {
    db: Transaction<'a>,
    head: Head,
    path: &'a std::path::Path,
}

impl Appender<'_> {
    /// Puts a prompt or a run under its digest, once.
    fn content(&mut self, what: &impl Serialize) -> Result<String, Error> {
        let body = json(what)?;
        let sha256 = digest::sha256(body.as_bytes());
        let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO content VALUES (?1, ?2)").map_err(Error::database(self.path))?;
        insert.execute([&sha256, &body]).map_err(Error::database(self.path))?;
        drop(insert);
        Ok(sha256)
    }

    /// Appends an entry; its number.
    fn entry(&mut self, entry: &Entry) -> Result<u64, Error> {
        let body = json(entry)?;
        let head = Head { n_entries: self.head.n_entries + 1, hash: chain(&self.head.hash, &body) };
        let mut insert =
            self.db.prepare_cached("INSERT INTO entry(seq, body, hash) VALUES (?1, ?2, ?3)").map_err(Error::database(self.path))?;
        insert.execute(params![head.n_entries as i64, body, head.hash]).map_err(Error::database(self.path))?;
        drop(insert);
        self.head = head;
        Ok(self.head.n_entries)
    }

    /// Ends a sample, if it runs.
    fn end(&mut self, sample: u64, entry: &Entry) -> Result<(), Error> {
        let refuse = Error::database(self.path);
        let count = |sql: &str| self.db.query_row(sql, [sample as i64], |row| row.get::<_, i64>(0));
        let begun = count("SELECT count(*) FROM entry WHERE seq = ?1 AND prompt IS NOT NULL").map_err(&refuse)?;
        let ended = count("SELECT count(*) FROM entry WHERE sample = ?1").map_err(&refuse)?;
        if begun != 1 || ended != 0 {
            let cause = if begun == 1 { "this sample has ended already" } else { "no sample began here" };
            return Err(Error::broken(self.path, sample, cause));
        }
        self.entry(entry).map(drop)
    }
}

fn json(what: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(what).map_err(|e| Error::Asked(format!("a record cannot be written as JSON: {e}")))
}
