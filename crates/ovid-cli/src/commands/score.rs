//! `ovid score`: how probable a model finds a text.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_eval::{DocumentScore, Options, Place, Scorer};
use ovid_io::documents::{Documents, Limits};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::interrupt;
use crate::models;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Say how probable a model finds a text: perplexity, bits per byte, each token's rank
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid score chapter.txt essays.jsonl\n  ovid score --model gpt2 --tokens --text \"So it goes.\"\n  ovid score --json --top 5 chapter.txt"
)]
pub struct Score {
    /// Files and folders: plain text, or JSON Lines with `text`; .gz and .zst too; `-` is standard input, and without any it is read
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Score this text
    #[arg(long, value_name = "TEXT", conflicts_with = "files")]
    text: Option<String>,
    #[command(flatten)]
    choice: ModelChoice,
    /// Tokens by which the window moves over a text longer than the model's context [default: half the context]
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// List the K most probable tokens in each place
    #[arg(long, value_name = "K", default_value_t = 0)]
    top: usize,
    /// Put no end-of-text before the first token, which then has no score
    #[arg(long)]
    no_bos: bool,
    /// Show each token
    #[arg(long)]
    tokens: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Score {
    /// Prints one object or line a document.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let usual = Options::new(&loaded.model, &loaded.tokenizer);
        let options = Options { begin: usual.begin.filter(|_| !self.no_bos), stride: self.stride.unwrap_or(usual.stride), n_top: self.top };
        let mut scorer = Scorer::new(&loaded.model, &loaded.tokenizer, options, &bar)?;
        let show = |documents: Vec<DocumentScore>| -> Result<(), Failure> {
            documents.iter().try_for_each(|d| if voice.json { output::object(d) } else { output::text(&self.rendered(d)) })
        };
        if let Some(text) = &self.text {
            show(scorer.push(text.as_bytes(), Place::default())?)?;
        } else {
            for document in self.documents()? {
                let document = document?;
                let place = Place { file: Some(document.file.display().to_string()), line: Some(document.line) };
                show(scorer.push(document.text.as_bytes(), place)?)?;
            }
        }
        show(scorer.finish()?)
    }

    fn documents(&self) -> Result<Documents, Failure> {
        if self.files.is_empty() {
            return Ok(Documents::open(&["-"], Limits::default())?);
        }
        Ok(Documents::open(&self.files, Limits::default())?)
    }

    fn rendered(&self, document: &DocumentScore) -> String {
        let mut text = String::new();
        if self.tokens || self.top > 0 {
            let _ = writeln!(text, "{:>9} {:>7} {:>8}  token", "logprob", "rank", "entropy");
            for token in &document.tokens {
                let number = |x: Option<f32>| x.map_or_else(|| "-".to_string(), |x| format!("{x:.3}"));
                let rank = token.rank.map_or_else(|| "-".to_string(), |r| r.to_string());
                let _ = write!(text, "{:>9} {rank:>7} {:>8}  {:?}", number(token.logprob), number(token.entropy), token.text);
                let top: Vec<String> = token.top.iter().map(|t| format!("{:?} {:.3}", t.text, t.logprob)).collect();
                let _ = writeln!(text, "{}{}", if top.is_empty() { "" } else { "  of " }, top.join(", "));
            }
        }
        let place = match (&document.file, document.line) {
            (Some(file), Some(line)) if file.contains(".jsonl") || file.contains(".ndjson") => format!("{file}:{line}: "),
            (Some(file), _) => format!("{file}: "),
            (None, _) => String::new(),
        };
        let n = output::human_count(document.n_scored as u64);
        let _ = match (document.perplexity, document.bits_per_byte) {
            (Some(perplexity), Some(bits)) => {
                writeln!(text, "{place}{n} tokens scored, perplexity {perplexity:.4}, {bits:.4} bits per byte")
            }
            _ => writeln!(text, "{place}nothing to score"),
        };
        text
    }
}
