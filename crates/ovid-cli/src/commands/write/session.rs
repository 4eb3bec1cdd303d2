//! The text so far, and how it came about.

use std::num::NonZeroU32;
use std::path::Path;

use ovid_generate::{Draft, Generation, Request};
use ovid_samples::ledger::LedgerRecorder;

use super::command::{Command, HELP};
use crate::failure::Failure;
use crate::interrupt;
use crate::models::Loaded;
use crate::output::{self, Voice};
use crate::sampling::SamplingFlags;
use crate::stream::{self, Piece};

/// New tokens of a continuation where no flag says otherwise: a few lines, since the person has the next word.
const DEFAULT_MAX_TOKENS: usize = 60;

/// A text in the making.
pub struct Session {
    loaded: Loaded,
    ledger: Option<LedgerRecorder>,
    flags: SamplingFlags,
    seed: u64,
    voice: Voice,
    text: String,
    /// The text before each step, and behind what was typed for it.
    steps: Vec<(String, String)>,
}

impl Session {
    /// An empty text.
    pub fn new(loaded: Loaded, ledger: Option<LedgerRecorder>, flags: SamplingFlags, seed: u64, voice: Voice) -> Self {
        let flags = SamplingFlags::with_max_tokens(DEFAULT_MAX_TOKENS).changed_by(flags);
        Self { loaded, ledger, flags, seed, voice, text: String::new(), steps: Vec::new() }
    }

    /// Begins with a text.
    pub fn open(&mut self, text: String) {
        self.text = text;
    }

    /// Does what a line asked for.
    pub fn obey(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Type(words) => {
                let prompt = joined(&self.text, &words);
                self.step(prompt)
            }
            Command::Continue => self.step(self.text.clone()),
            Command::Retry => {
                let Some((before, prompt)) = self.steps.pop() else { return Err(Failure::input("there is nothing to retry")) };
                self.text = before;
                self.seed = self.seed.wrapping_add(1);
                self.step(prompt)
            }
            Command::Undo => {
                let Some((before, _)) = self.steps.pop() else { return Err(Failure::input("there is nothing to undo")) };
                self.text = before;
                self.show()
            }
            Command::Set(flags) => {
                let changed = self.flags.clone().changed_by(*flags);
                changed.settings(&self.loaded.tokenizer)?;
                self.flags = changed;
                Ok(())
            }
            Command::Seed(seed) => {
                self.seed = seed;
                Ok(())
            }
            Command::Text => self.show(),
            Command::Save(path) => self.save(&path),
            Command::Help => {
                self.voice.say(HELP);
                Ok(())
            }
            Command::Quit => Ok(()),
        }
    }

    /// Continues `prompt`, which takes the place of the text.
    fn step(&mut self, prompt: String) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let settings = self.flags.settings(&self.loaded.tokenizer)?;
        let request = Request {
            prompt: self.loaded.tokenizer.encode(prompt.as_bytes()),
            settings: settings.clone(),
            seed: self.seed,
            n_samples: NonZeroU32::MIN,
            logprobs: None,
            watermark: None,
        };
        if !self.voice.json {
            output::text(&output::bold(&prompt))?;
        }
        let mut added = String::new();
        stream::samples(&self.loaded, &prompt, request, self.ledger.as_mut(), |piece| match piece {
            Piece::Text(text) => {
                added.push_str(&text);
                if self.voice.json { Ok(()) } else { output::text(&text) }
            }
            Piece::End(completion) if self.voice.json => {
                output::object(&Generation::new(prompt.clone(), *completion, settings.clone(), &self.loaded.origin()?))
            }
            Piece::End(_) => output::line(""),
        })?;
        // Ctrl-C ended the continuation, not the program: what came of it stays.
        interrupt::forget();
        let before = std::mem::replace(&mut self.text, format!("{prompt}{added}"));
        self.steps.push((before, prompt));
        Ok(())
    }

    fn show(&self) -> Result<(), Failure> {
        if self.voice.json { output::object(&Draft { text: self.text.clone() }) } else { output::line(&self.text) }
    }

    fn save(&self, path: &Path) -> Result<(), Failure> {
        ovid_io::atomic::write_atomic(path, |out| std::io::Write::write_all(out, self.text.as_bytes()))?;
        self.voice.say(&format!("{}: {}", path.display(), output::human_bytes(self.text.len() as u64)));
        Ok(())
    }
}

/// What was typed goes on the text as a new word, unless either side says otherwise.
fn joined(text: &str, words: &str) -> String {
    let apart =
        !text.is_empty() && !text.ends_with(char::is_whitespace) && words.starts_with(|c: char| c.is_alphanumeric() || "\"'([".contains(c));
    format!("{text}{}{words}", if apart { " " } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_as_people_write() {
        for (text, words, expected) in [
            ("", "So", "So"),
            ("So", "it", "So it"),
            ("So it goes", ".", "So it goes."),
            ("So\n", "it", "So\nit"),
            ("So", " it", "So it"),
            ("said", "\"Yes", "said \"Yes"),
        ] {
            assert_eq!(joined(text, words), expected);
        }
    }
}
