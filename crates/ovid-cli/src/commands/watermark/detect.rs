//! `ovid watermark detect`: whether a text bears a key's mark.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ovid_bpe::Tokenizer;
use ovid_io::documents::{Documents, Limits};
use ovid_watermark::{Detector, Judged, Judgement, Key, Passage, Scheme, Trial, Verdict, Watermark};

use crate::arguments::ModelChoice;
use crate::failure::Failure;
use crate::models;
use crate::output::{self, Voice};
use crate::watermark::SchemeFlags;

/// Say whether texts bear the mark of a key, with the probability of so strong a mark by chance
///
/// The text is cut into tokens by the tokenizer of the model that wrote it. Every scheme is tried as published unless --scheme names one; the p-value is corrected for
/// the number of keys, schemes and passages tried.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid watermark detect --key spring.key page.txt\n  ovid watermark detect --json --key a.key --key b.key --scheme gumbel samples.jsonl"
)]
pub struct Detect {
    /// Files and folders: plain text, or JSON Lines with `text`; .gz and .zst too; `-` is standard input, and without any it is read
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge this text
    #[arg(long, value_name = "TEXT", conflicts_with = "files")]
    text: Option<String>,
    /// A key file; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The prompt with which every text begins: it is not judged
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Call a text marked where chance alone would do so this often
    #[arg(long, value_name = "P", default_value = "0.001")]
    fpr: f64,
    /// Search texts longer than twice this for a marked passage of so many tokens; 0 does not
    #[arg(long, value_name = "N", default_value = "200")]
    window: usize,
    #[command(flatten)]
    choice: ModelChoice,
    #[command(flatten)]
    scheme: SchemeFlags,
}

impl Detect {
    /// Prints one object or line a document.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        if !(self.fpr > 0.0 && self.fpr < 1.0) {
            return Err(Failure::input(format!("--fpr is {}, but must be above 0 and below 1", self.fpr)));
        }
        let detector = self.detector()?;
        let tokenizer = models::tokenizer(&self.choice)?;
        if let Some(text) = &self.text {
            return show(voice, &self.judged(&detector, &tokenizer, text, None)?);
        }
        let standard_input = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &standard_input[..] } else { &self.files[..] };
        for document in Documents::open(files, Limits::default())? {
            let document = document?;
            let place = (document.file.display().to_string(), document.line);
            show(voice, &self.judged(&detector, &tokenizer, &document.text, Some(place))?)?;
        }
        Ok(())
    }

    fn detector(&self) -> Result<Detector, Failure> {
        let schemes = self.scheme.scheme()?.map_or(Scheme::all().to_vec(), |s| vec![s]);
        let mut watermarks: Vec<Watermark> = Vec::new();
        for path in &self.key {
            let key = Arc::new(Key::read(path)?);
            let new = schemes.iter().map(|&scheme| Watermark::new(Arc::clone(&key), scheme)).collect::<Vec<_>>();
            if watermarks.contains(&new[0]) {
                return Err(Failure::input(format!("the key {} of '{}' is given twice", key.id(), path.display())));
            }
            watermarks.extend(new);
        }
        Ok(Detector::new(watermarks, self.fpr, self.window))
    }

    fn judged(&self, detector: &Detector, tokenizer: &Tokenizer, text: &str, place: Option<(String, u64)>) -> Result<Judged, Failure> {
        let prompt = self.prompt.as_deref().unwrap_or_default();
        let (file, line) = place.unzip();
        let Some(written) = text.strip_prefix(prompt) else {
            let name = file.as_deref().unwrap_or("the text");
            return Err(Failure::input(format!("{name} does not begin with the prompt")).hint("without --prompt all of it is judged"));
        };
        let mut ids = tokenizer.encode(prompt.as_bytes());
        let n_prompt = ids.len();
        ids.extend(tokenizer.encode(written.as_bytes()));
        Ok(Judged { file, line, judgement: detector.judge(&ids, n_prompt) })
    }
}

fn show(voice: Voice, judged: &Judged) -> Result<(), Failure> {
    if voice.json {
        return output::object(judged);
    }
    let place = match (&judged.file, judged.line) {
        (Some(file), Some(line)) if file.contains(".jsonl") || file.contains(".ndjson") => format!("{file}:{line}: "),
        (Some(file), _) => format!("{file}: "),
        (None, _) => String::new(),
    };
    output::line(&format!("{place}{}", words(&judged.judgement)))
}

fn words(judgement: &Judgement) -> String {
    let Judgement { verdict, p_value, n_tokens, trials, .. } = judgement;
    let tried = match trials.len() {
        1 => "one key and scheme tried".to_string(),
        n => format!("{n} keys and schemes tried"),
    };
    let tokens = output::human_count(*n_tokens as u64);
    match (verdict, trials.first()) {
        (Verdict::Marked, Some(best)) => {
            let mut text = format!("marked by key {}", best.key);
            if let Some(name) = &best.key_name {
                let _ = write!(text, " {name:?}");
            }
            let _ = write!(text, ", {} (p = {p_value:.2e}, {tried}): {}", best.scheme.name(), shown(best));
            text
        }
        (Verdict::TooShort, _) => format!("too short to tell: {tokens} tokens, {tried}"),
        _ => format!("no mark found (p = {p_value:.2}, {tried}) in {tokens} tokens"),
    }
}

/// The counts behind the verdict.
fn shown(best: &Trial) -> String {
    let score = match best.scheme {
        Scheme::GreenList(_) => "green share",
        Scheme::Gumbel(_) => "mean",
        Scheme::Tournament(_) => "mean strength",
    };
    let passage = best.passage.filter(|p| p.evidence.p_value * (p.n_passages as f64) < best.whole.p_value);
    let evidence = passage.map_or(best.whole, |p| p.evidence);
    let counts =
        format!("{score} {:.3} where {:.2} is expected, of {} tokens counted", evidence.score, evidence.expected, evidence.n_counted);
    match passage {
        Some(Passage { start, end, n_passages, .. }) => format!("{counts} in tokens {start} to {end}, the best of {n_passages} passages"),
        None => counts,
    }
}
