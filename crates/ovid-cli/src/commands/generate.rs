//! `ovid generate`: continue a text.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use ovid_generate::{Generation, Request};
use ovid_samples::ledger::LedgerRecorder;

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::input::{self, LastNewline};
use crate::interrupt;
use crate::ledger;
use crate::machine;
use crate::models::{self, Loaded};
use crate::output::{self, Voice};
use crate::progress::Bar;
use crate::sampling::SamplingFlags;
use crate::stream::{self, Piece};
use crate::watermark::SchemeFlags;

/// Continue a text
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:\n  ovid generate \"In a shocking finding, scientists discovered\"\n  ovid generate --model gpt2 -n 3 --seed 7 --top-p 0.9 --json \"So it goes.\"\n  ovid generate --file opening.txt --stop \"THE END\" --max-tokens 500"
)]
pub struct Generate {
    /// The text to continue; "" starts a new one; without it and without --file, standard input
    prompt: Option<String>,
    /// Continue each text of these files: plain text, or JSON Lines with `text`
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    file: Vec<PathBuf>,
    #[command(flatten)]
    choice: ModelChoice,
    /// How many samples; sample i is drawn with seed + i
    #[arg(long, short = 'n', value_name = "N", default_value = "1")]
    samples: NonZeroU32,
    /// Print the continuation without the text it continues
    #[arg(long)]
    no_prompt: bool,
    /// With --json: the log-probability of each new token, and the K best alternatives
    #[arg(long, value_name = "K", requires = "json")]
    logprobs: Option<usize>,
    /// Take every sample down in this ledger before its first token is shown; it is made where there is none
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// Mark the text with the key of this file, so that `ovid watermark detect` finds it
    #[arg(long, value_name = "KEYFILE", help_heading = "Watermark")]
    watermark: Option<PathBuf>,
    #[command(flatten)]
    scheme: SchemeFlags,
    /// Where the random numbers begin; drawn and printed where it is not given
    #[arg(long, value_name = "N", help_heading = "Common options")]
    seed: Option<u64>,
    #[command(flatten)]
    machine: Machine,
}

impl Generate {
    /// Prints the continuations as they come.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        if self.prompt.is_none() && self.file.is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return Err(
                Failure::input("no text to continue").hint("ovid generate \"Once upon a time\", or write interactively with: ovid write")
            );
        }
        let watermark = self.scheme.watermark(self.watermark.as_deref())?;
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        bar.clear();
        let settings = self.sampling.settings(&loaded.tokenizer)?;
        let seed = machine::seed(self.seed, voice)?;
        let ledger = self.ledger.as_deref().map(|path| ledger::open(path, &loaded)).transpose()?;
        let mut show = Show {
            ledger,
            voice,
            loaded: &loaded,
            no_prompt: self.no_prompt,
            headed: self.samples.get() > 1 || !self.file.is_empty(),
            n_shown: 0,
        };
        for prompt in input::texts(self.prompt.map(|p| vec![p]).unwrap_or_default(), &self.file, LastNewline::Cut)? {
            let prompt = prompt?;
            let request = Request {
                prompt: loaded.tokenizer.encode(&prompt),
                settings: settings.clone(),
                seed,
                n_samples: self.samples,
                logprobs: self.logprobs,
                watermark: watermark.clone(),
            };
            show.prompt(&String::from_utf8_lossy(&prompt), request)?;
        }
        Ok(())
    }
}

/// Where the samples of one prompt go.
struct Show<'a> {
    ledger: Option<LedgerRecorder>,
    voice: Voice,
    loaded: &'a Loaded,
    no_prompt: bool,
    headed: bool,
    n_shown: u64,
}

impl Show<'_> {
    /// Continues one prompt.
    fn prompt(&mut self, prompt: &str, request: Request) -> Result<(), Failure> {
        let settings = request.settings.clone();
        let mut begun = false;
        // Out of `self` while the pieces are shown.
        let mut ledger = self.ledger.take();
        let tries = stream::samples(self.loaded, prompt, request, ledger.as_mut(), |piece| match piece {
            // A text that was cut short by Ctrl-C is no sample.
            Piece::End(completion) if self.voice.json && !interrupt::requested() => {
                output::object(&Generation::new(prompt.to_owned(), *completion, settings.clone(), &self.loaded.origin()?))
            }
            _ if self.voice.json => Ok(()),
            Piece::Text(text) => {
                if !std::mem::replace(&mut begun, true) {
                    self.head(prompt)?;
                }
                output::text(&text)
            }
            Piece::End(_) => {
                begun = false;
                output::line("")
            }
        });
        self.ledger = ledger;
        let tries = tries?;
        if let (Some(ledger), Some(first), Some(last)) = (&self.ledger, tries.first(), tries.last()) {
            let numbers = if first == last { first.to_string() } else { format!("{first} to {last}") };
            self.voice.say(&format!("ledger {}: sample {numbers}", ledger.ledger().path().display()));
        }
        if interrupt::requested() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    fn head(&mut self, prompt: &str) -> Result<(), Failure> {
        self.n_shown += 1;
        if self.headed {
            output::line(&format!("{}======== sample {} ========", if self.n_shown > 1 { "\n" } else { "" }, self.n_shown))?;
        }
        if self.no_prompt { Ok(()) } else { output::text(&output::bold(prompt)) }
    }
}
