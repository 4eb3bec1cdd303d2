//! Reading the ledger: one sample, all of them in order, the tries of each prompt.

use ovid_generate::Generation;
use rusqlite::{OptionalExtension as _, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::entry::{Ended, Entry, Prompt, Run, State};
use crate::Error;

/// A sample with all that the ledger knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its number: that of the entry with which it began.
    pub id: u64,
    /// Where it stands.
    pub state: State,
    /// When it began, by the clock of then.
    pub time_ms: u64,
    /// What was continued.
    pub prompt: Prompt,
    /// With what.
    pub run: Run,
    /// Its seed.
    pub seed: u64,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
}

impl Sample {
    /// The sample as `ovid generate --json` prints it, where there is text.
    pub fn generation(&self) -> Option<Generation> {
        self.ended.as_ref()?.generation(&self.prompt, &self.run, self.seed)
    }
}

/// How often a prompt was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTries {
    /// The prompt.
    pub prompt: String,
    /// Samples begun for it, whatever became of them.
    pub tries: u64,
    /// Of these, how many are whole.
    pub completed: u64,
    /// Cut short.
    pub aborted: u64,
}

/// The tries of one wording of a prompt.
pub(crate) struct WordingTries {
    pub(crate) tries: u64,
    pub(crate) completed: u64,
    pub(crate) aborted: u64,
    pub(crate) before: u64,
}

impl Ledger {
    /// The sample of a number, if there is one.
    ///
    /// # Errors
    /// If the ledger cannot be read or is damaged.
    pub fn sample(&self, id: u64) -> Result<Option<Sample>, Error> {
        let Some(body) = self.body("SELECT body FROM entry WHERE seq = ?1", id)? else { return Ok(None) };
        let Entry::Begun { time_ms, prompt, run, seed } = self.parse(id, &body)? else { return Ok(None) };
        let (prompt, run) = (self.content(id, &prompt)?, self.content(id, &run)?);
        let ended = self.body("SELECT body FROM entry WHERE sample = ?1", id)?;
        let (state, ended) = match ended.map(|body| self.parse(id, &body)).transpose()? {
            None | Some(Entry::Begun { .. }) => (State::Begun, None),
            Some(Entry::Completed(ended)) => (State::Completed, Some(ended)),
            Some(Entry::Aborted(ended)) => (State::Aborted, Some(ended)),
        };
        Ok(Some(Sample { id, state, time_ms, prompt, run, seed, ended }))
    }

    /// Hands every sample that began to `each`, in order.
    ///
    /// # Errors
    /// Those of `each`, and where the ledger cannot be read or is damaged.
    pub fn for_each(&self, mut each: impl FnMut(Sample) -> Result<(), Error>) -> Result<(), Error> {
        let refuse = Error::database(&self.path);
        let mut query = self.db.prepare("SELECT seq FROM entry WHERE prompt IS NOT NULL ORDER BY seq").map_err(&refuse)?;
        let mut rows = query.query([]).map_err(&refuse)?;
        while let Some(row) = rows.next().map_err(&refuse)? {
            let id = row.get::<_, i64>(0).map_err(&refuse)? as u64;
            if let Some(sample) = self.sample(id)? {
                each(sample)?;
            }
        }
        Ok(())
    }

    /// The texts of whole and cut-short samples that ended in entries after `after` up to `last`, with the samples' numbers.
    ///
    /// # Errors
    /// Those of `each`, and where the ledger cannot be read.
    pub(crate) fn texts_between(&self, after: u64, last: u64, mut each: impl FnMut(u64, &str) -> Result<(), Error>) -> Result<(), Error> {
        let refuse = Error::database(&self.path);
        let sql = "SELECT sample, json_extract(body, '$.text') FROM entry WHERE seq > ?1 AND seq <= ?2 AND sample IS NOT NULL ORDER BY seq";
        let mut query = self.db.prepare(sql).map_err(&refuse)?;
        let mut rows = query.query([after as i64, last as i64]).map_err(&refuse)?;
        while let Some(row) = rows.next().map_err(&refuse)? {
            let id = row.get::<_, i64>(0).map_err(&refuse)? as u64;
            let text = row.get_ref(1).map_err(&refuse)?.as_str().map_err(|e| Error::broken(&self.path, id, e.to_string()))?;
            each(id, text)?;
        }
        Ok(())
    }

    /// The text of a sample that has ended.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub(crate) fn text_of(&self, sample: u64) -> Result<Option<String>, Error> {
        self.body("SELECT json_extract(body, '$.text') FROM entry WHERE sample = ?1", sample)
    }

    /// The hash of an entry, if there is one.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub(crate) fn hash_of(&self, entry: u64) -> Result<Option<String>, Error> {
        self.body("SELECT hash FROM entry WHERE seq = ?1", entry)
    }

    /// The tries of each prompt, in the order of their first.
    ///
    /// # Errors
    /// If the ledger cannot be read or is damaged.
    pub fn tries(&self) -> Result<Vec<PromptTries>, Error> {
        let refuse = Error::database(&self.path);
        let sql =
            "SELECT b.prompt, count(*), sum(json_extract(e.body, '$.kind') = 'completed'), sum(json_extract(e.body, '$.kind') = 'aborted')
                   FROM entry b LEFT JOIN entry e ON e.sample = b.seq WHERE b.prompt IS NOT NULL GROUP BY b.prompt ORDER BY min(b.seq)";
        let mut query = self.db.prepare(sql).map_err(&refuse)?;
        let mut rows = query.query([]).map_err(&refuse)?;
        let mut tries = Vec::new();
        while let Some(row) = rows.next().map_err(&refuse)? {
            let number = |i| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(i)?.unwrap_or(0) as u64);
            let sha256: String = row.get(0).map_err(&refuse)?;
            let Prompt { text, .. } = self.content(0, &sha256)?;
            let prompt = || Ok(PromptTries { prompt: text.clone(), tries: number(1)?, completed: number(2)?, aborted: number(3)? });
            tries.push(prompt().map_err(&refuse)?);
        }
        Ok(tries)
    }

    /// Every prompt that was tried, with its digest.
    pub(crate) fn wordings(&self) -> Result<Vec<(String, String)>, Error> {
        let refuse = Error::database(&self.path);
        let sql = "SELECT DISTINCT prompt FROM entry WHERE prompt IS NOT NULL";
        let mut query = self.db.prepare(sql).map_err(&refuse)?;
        let digests = query.query_map([], |row| row.get::<_, String>(0)).map_err(&refuse)?;
        digests.map(|sha256| sha256.map_err(&refuse).and_then(|s| Ok((self.content::<Prompt>(0, &s)?.text, s)))).collect()
    }

    /// The tries of one wording, and how many of them began before sample `id`.
    pub(crate) fn tries_of_wording(&self, sha256: &str, id: u64) -> Result<WordingTries, Error> {
        let sql = "SELECT count(*), sum(json_extract(e.body, '$.kind') = 'completed'), sum(json_extract(e.body, '$.kind') = 'aborted'), sum(b.seq < ?2)
                   FROM entry b LEFT JOIN entry e ON e.sample = b.seq WHERE b.prompt = ?1";
        let found = self.db.query_row(sql, params![sha256, id as i64], |row| {
            let number = |i| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(i)?.unwrap_or(0) as u64);
            Ok(WordingTries { tries: number(0)?, completed: number(1)?, aborted: number(2)?, before: number(3)? })
        });
        found.map_err(Error::database(&self.path))
    }

    /// A prompt or run by its digest.
    fn content<T: DeserializeOwned>(&self, entry: u64, sha256: &str) -> Result<T, Error> {
        let found = self.db.prepare_cached("SELECT body FROM content WHERE sha256 = ?1").and_then(|mut query| {
            let row: Option<String> = query.query_row([sha256], |row| row.get(0)).optional()?;
            Ok(row)
        });
        let body = found.map_err(Error::database(&self.path))?;
        let body = body.ok_or_else(|| Error::broken(&self.path, entry, "the prompt or settings that it names were removed"))?;
        self.parse(entry, &body)
    }

    fn body(&self, sql: &str, number: u64) -> Result<Option<String>, Error> {
        let found = self.db.prepare_cached(sql).and_then(|mut query| query.query_row(params![number as i64], |row| row.get(0)).optional());
        found.map_err(Error::database(&self.path))
    }

    fn parse<T: DeserializeOwned>(&self, entry: u64, body: &str) -> Result<T, Error> {
        serde_json::from_str(body).map_err(|e| Error::broken(&self.path, entry, format!("it cannot be read: {e}")))
    }
}
