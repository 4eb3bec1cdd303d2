//! A sample ready to be shown: what a person wrote, what the machine wrote, and one of how many tries it is.
//!
//! In: a ledger and the number of a sample. Out: the record as JSON (which `ovid samples verify` takes), text, Markdown, HTML and a card as PNG. The number of tries is
//! counted, not given: every sample begun for the prompt or a near-copy of it, whatever became of it.

mod card;
mod page;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ovid_generate::{Generation, Settings};
use ovid_io::atomic::write_atomic;
use serde::{Deserialize, Serialize};

use crate::ledger::{Head, State};
use crate::words::Likeness;
use crate::{Error, Ledger};

/// A sample with its number of tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The sample, with all that is needed to make it again.
    #[serde(flatten)]
    pub generation: Generation,
    /// One of how many.
    pub tries: Tries,
    /// The sample's number in the ledger.
    pub ledger_sample: u64,
    /// How far the ledger had come.
    pub ledger_head: Head,
    /// See [`crate::tokenizer_sha256`].
    pub tokenizer_sha256: String,
}

/// How often a prompt was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Samples begun for the prompt and its near-copies.
    pub n_tries: u64,
    /// The place of the shown one among them, from 1, by when they began.
    pub number: u64,
    /// Of the tries, how many are whole.
    pub n_completed: u64,
    /// Cut short.
    pub n_aborted: u64,
    /// Begun and never ended.
    pub n_open: u64,
    /// Wordings of the prompt that were tried.
    pub n_wordings: u64,
}

impl Ledger {
    /// The tries of a prompt and its near-copies, of which sample `id` is one.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn tries_of(&self, prompt: &str, id: u64) -> Result<Tries, Error> {
        let wanted = Likeness::new(prompt);
        let mut tries = Tries { n_tries: 0, number: 1, n_completed: 0, n_aborted: 0, n_open: 0, n_wordings: 0 };
        for (wording, sha256) in self.wordings()? {
            if !Likeness::new(&wording).is_near(&wanted) {
                continue;
            }
            let found = self.tries_of_wording(&sha256, id)?;
            tries.n_wordings += 1;
            tries.n_tries += found.tries;
            tries.n_completed += found.completed;
            tries.n_aborted += found.aborted;
            tries.number += found.before;
        }
        tries.n_open = tries.n_tries - tries.n_completed - tries.n_aborted;
        Ok(tries)
    }
}

impl Published {
    /// Takes a sample out of a ledger.
    ///
    /// # Errors
    /// Where there is no such sample, it is not whole, or was made on a device whose samples nobody can verify.
    pub fn new(ledger: &Ledger, id: u64) -> Result<Self, Error> {
        let asked = |what: &str| Error::Asked(format!("sample {id} of '{}' {what}", ledger.path().display()));
        let sample = ledger.sample(id)?.ok_or_else(|| asked("is not there"))?;
        if sample.state != State::Completed {
            return Err(asked("is not whole: it was cut short, or is still running"));
        }
        if sample.run.device != "cpu" {
            return Err(asked(&format!(
                "was made on {}, which does not keep the same-bits rule: nobody could verify it",
                sample.run.device
            )));
        }
        let generation = sample.generation().ok_or_else(|| asked("is not whole"))?;
        let tries = ledger.tries_of(&sample.prompt.text, id)?;
        Ok(Self { generation, tries, ledger_sample: id, ledger_head: ledger.head()?, tokenizer_sha256: sample.run.tokenizer_sha256 })
    }

    /// Writes `stem.json`, `.txt`, `.md`, `.html` and `.png`, each whole or not at all; their paths.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(&self, stem: &Path) -> Result<Vec<PathBuf>, Error> {
        let json = serde_json::to_string(self).map_err(|e| Error::Asked(format!("the sample cannot be written as JSON: {e}")))? + "\n";
        let record = format!("{}.json", stem.file_name().unwrap_or_default().to_string_lossy());
        let files = [
            ("json", json.into_bytes()),
            ("txt", self.text(&record).into_bytes()),
            ("md", self.markdown(&record).into_bytes()),
            ("html", self.html(&record).into_bytes()),
            ("png", self.card(&record)?),
        ];
        let write = |(extension, bytes): (&str, Vec<u8>)| {
            let mut name = stem.as_os_str().to_owned();
            name.push(".");
            name.push(extension);
            write_atomic(Path::new(&name), |out| out.write_all(&bytes))?;
            Ok(PathBuf::from(name))
        };
        files.into_iter().map(write).collect()
    }

    /// "1 of 37 tries", and what became of the others where they were not all made whole.
    fn tries_line(&self) -> String {
        let Tries { n_tries, n_completed, n_wordings, .. } = self.tries;
        let mut line = if n_tries == 1 { "the only try".to_owned() } else { format!("1 of {n_tries} tries") };
        if n_completed < n_tries {
            let _ = write!(line, ", {} of them cut short", n_tries - n_completed);
        }
        if n_wordings > 1 {
            let _ = write!(line, ", over {n_wordings} wordings of the prompt");
        }
        line
    }

    /// What was set, and the digests: a name and a value each.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let g = &self.generation;
        vec![
            ("tries", format!("{}; this is number {}", self.tries_line(), self.tries.number)),
            ("settings", describe(&g.sampler)),
            ("seed", g.seed.to_string()),
            ("model", format!("{}, sha256 {}", g.model.name, g.model.sha256)),
            ("tokenizer", format!("sha256 {}", self.tokenizer_sha256)),
            ("arithmetic", format!("{} on {}, ovid {}", g.arithmetic, g.device, g.version)),
            (
                "ledger",
                format!(
                    "sample {} of a ledger of {} entries, head {}",
                    self.ledger_sample, self.ledger_head.n_entries, self.ledger_head.hash
                ),
            ),
        ]
    }

    fn check_line(&self, record: &str) -> String {
        format!("ovid samples verify {record} --model {}", self.generation.model.name)
    }
}

/// Settings in few words.
pub fn describe(settings: &Settings) -> String {
    let mut words = vec![format!("temperature {}", settings.temperature.get())];
    words.extend(settings.top_k.map(|k| format!("top-k {}", k.0)));
    words.extend(settings.top_p.map(|p| format!("top-p {}", p.get())));
    words.extend(settings.min_p.map(|p| format!("min-p {}", p.get())));
    words.extend(settings.typical_p.map(|p| format!("typical-p {}", p.get())));
    words.extend(settings.repetition_penalty.map(|p| format!("repetition penalty {}", p.get())));
    words.extend(settings.beams.map(|b| format!("{} beams", b.n_beams)));
    let plain = Settings { max_tokens: settings.max_tokens, ..Settings::default() };
    let known = Settings {
        temperature: plain.temperature,
        top_k: plain.top_k,
        top_p: None,
        min_p: None,
        typical_p: None,
        repetition_penalty: None,
        beams: None,
        at_end_of_text: plain.at_end_of_text,
        ..settings.clone()
    };
    if known != plain {
        words.push("and others".into());
    }
    words.push(format!("at most {} tokens", settings.max_tokens));
    words.join(", ")
}
