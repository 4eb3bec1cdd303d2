//! The ledger: every try is taken down before its first token is seen, in a file that shows when a row is removed or changed.
//!
//! An `SQLite` database (WAL, every commit synced). `entry` only grows: a sample has an entry when it begins and one when it ends. The hash of an entry is the SHA-256 of the hash
//! before it, a newline and the entry's JSON, so that no entry can be changed, removed or put in between without changing all hashes behind it; the last hash, written down
//! elsewhere, vouches for everything before it. Prompts and settings lie once each in `content`, under their SHA-256. Order is the order of commits and never the clock's.

mod append;
mod check;
mod entry;
mod read;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub use append::LedgerRecorder;
pub use check::{Fault, LedgerCheck};
pub use entry::{Ended, Entry, Prompt, Run, State};
pub use read::{PromptTries, Sample};

use crate::Error;

/// Reads the time in milliseconds since 1970; an argument, so that nothing here asks the system behind a caller's back.
pub type Clock = fn() -> u64;

/// The system's time.
pub fn system_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// "OVID": what the `application_id` of a ledger says.
const APPLICATION: i64 = 0x4f56_4944;
const VERSION: i64 = 1;
/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_mins(1);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS content(sha256 TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry(
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    sample INTEGER GENERATED ALWAYS AS (json_extract(body, '$.sample')) VIRTUAL,
    prompt TEXT GENERATED ALWAYS AS (json_extract(body, '$.prompt')) VIRTUAL
) STRICT;
CREATE INDEX IF NOT EXISTS entry_sample ON entry(sample) WHERE sample IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_prompt ON entry(prompt) WHERE prompt IS NOT NULL;
CREATE TABLE IF NOT EXISTS head(one INTEGER PRIMARY KEY CHECK (one = 1), n_entries INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
";

/// The hash before the first entry.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An open ledger.
pub struct Ledger {
    path: PathBuf,
    db: Connection,
}

/// How far a ledger has come: its number of entries, and the hash that vouches for all of them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Entries so far.
    pub n_entries: u64,
    /// The hash of the last one.
    pub hash: String,
}

impl Ledger {
    /// Opens a ledger to write to it; makes it where there is none.
    ///
    /// # Errors
    /// If it cannot be opened or made, or the file is something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        not_a_folder(path, "write")?;
        let db = Connection::open(path).map_err(|cause| opening(path, cause))?;
        let mut ledger = Self { path: path.to_owned(), db };
        let refuse = Error::database(path);
        ledger.db.busy_timeout(PATIENCE).map_err(&refuse)?;
        if !ledger.is_one(true)? {
            ledger.wal()?;
            let make = ledger.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&refuse)?;
            make.execute_batch(SCHEMA).map_err(&refuse)?;
            make.execute("INSERT OR IGNORE INTO head VALUES (1, 0, ?1)", [GENESIS]).map_err(&refuse)?;
            make.pragma_update(None, "application_id", APPLICATION).map_err(&refuse)?;
            make.pragma_update(None, "user_version", VERSION).map_err(&refuse)?;
            make.commit().map_err(&refuse)?;
        }
        ledger.wal()?;
        // A commit is on the disk before it returns: the promise that no try is shown and then lost.
        ledger.db.pragma_update(None, "synchronous", "FULL").map_err(&refuse)?;
        Ok(ledger)
    }

    /// Opens a ledger to read it.
    ///
    /// # Errors
    /// If there is none at `path`.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        std::fs::metadata(path).map_err(|e| ovid_io::Error::io(path, "read", e))?;
        not_a_folder(path, "read")?;
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|cause| opening(path, cause))?;
        let ledger = Self { path: path.to_owned(), db };
        ledger.db.busy_timeout(PATIENCE).map_err(Error::database(path))?;
        if ledger.is_one(false)? { Ok(ledger) } else { Err(Error::NoLedger { path: path.to_owned(), cause: "it is empty".into() }) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far it has come, by its own word; [`Ledger::check`] holds the entries against it.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn head(&self) -> Result<Head, Error> {
        let row = |row: &rusqlite::Row<'_>| Ok(Head { n_entries: row.get::<_, i64>(0)? as u64, hash: row.get(1)? });
        self.db.query_row("SELECT n_entries, hash FROM head", [], row).map_err(|cause| match cause {
            rusqlite::Error::QueryReturnedNoRows => Error::broken(&self.path, 0, "the line that says how long the ledger is was removed"),
            cause => Error::Database { path: self.path.clone(), cause },
        })
    }

    /// Whether the file is a ledger already; an empty file is none yet.
    fn is_one(&self, may_be_made: bool) -> Result<bool, Error> {
        let number = |name: &str| self.db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let not = |cause: &str| Err(Error::NoLedger { path: self.path.clone(), cause: cause.into() });
        match number("application_id").map_err(|cause| opening(&self.path, cause))? {
            APPLICATION => match number("user_version").map_err(Error::database(&self.path))? {
                VERSION => Ok(true),
                other => not(&format!("its version is {other}, and this program knows version {VERSION}")),
            },
            0 if may_be_made || number("page_count").map_err(Error::database(&self.path))? == 0 => {
                let tables: i64 = self
                    .db
                    .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
                    .map_err(|cause| opening(&self.path, cause))?;
                if tables == 0 { Ok(false) } else { not("it is a database of something else") }
            }
            _ => not("it is a database of something else"),
        }
    }

    /// Write-ahead logging. `SQLite` does not wait by itself while another process makes the same change.
    fn wal(&self) -> Result<(), Error> {
        let mut patience = 600;
        loop {
            match self.db.pragma_update(None, "journal_mode", "WAL") {
                Err(e) if patience > 0 && matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
                    patience -= 1;
                    std::thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome.map_err(Error::database(&self.path)),
            }
        }
    }
}

/// To `SQLite` a folder is a disk that fails.
fn not_a_folder(path: &Path, doing: &'static str) -> Result<(), Error> {
    if path.is_dir() {
        return Err(ovid_io::Error::io(path, doing, std::io::ErrorKind::IsADirectory.into()).into());
    }
    Ok(())
}

/// What `SQLite` says at the door, in words that fit.
fn opening(path: &Path, cause: rusqlite::Error) -> Error {
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NoLedger { path: path.to_owned(), cause: "it is no SQLite database".into() },
        _ => Error::Database { path: path.to_owned(), cause },
    }
}
