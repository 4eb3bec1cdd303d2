//! `ovid overlap recite`: does a model know a text by heart, and which samples look as if?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ovid_eval::{Attempt, Extraction, GETTYSBURG, Metrics, Recital, ReciteOptions, extraction, recite};
use ovid_overlap::{Index, Read, Set, SetDocument};

use crate::arguments::{Machine, ModelChoice};
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;
use crate::sampling::SamplingFlags;
use crate::{interrupt, machine, models};

/// Give a model the first words of a known text and show where it leaves it; or find the samples that look memorised
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:\n  ovid overlap recite\n  ovid overlap recite --model gpt2-xl --words 30 -n 10 declaration.txt\n  ovid overlap recite --extract samples.jsonl --index corpus.index --small-model gpt2"
)]
pub struct Recite {
    /// The known text; without it, the Gettysburg Address
    #[arg(value_name = "TEXT")]
    text: Option<PathBuf>,
    #[command(flatten)]
    choice: ModelChoice,
    /// Words given to the model
    #[arg(long, value_name = "N", default_value_t = 12)]
    words: usize,
    /// Samples beside the greedy continuation
    #[arg(long, short = 'n', value_name = "N", default_value_t = 5)]
    samples: u32,
    /// Instead: the metrics of Carlini et al. 2021 over these samples
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "text")]
    extract: Vec<PathBuf>,
    /// With --extract: hold each sample against this index
    #[arg(long, value_name = "INDEX", requires = "extract")]
    index: Option<PathBuf>,
    /// With --extract: a smaller model for the ratio of the two
    #[arg(long, value_name = "NAME|FOLDER|GGUF", requires = "extract")]
    small_model: Option<String>,
    /// With --extract: show so many for each metric
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// Where the random numbers begin; drawn and printed where it is not given
    #[arg(long, value_name = "N", help_heading = "Common options")]
    seed: Option<u64>,
    #[command(flatten)]
    machine: Machine,
}

impl Recite {
    /// Asks the model.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        if !self.extract.is_empty() {
            return self.extract(&bar, voice);
        }
        let text = match &self.text {
            None => GETTYSBURG.to_owned(),
            Some(path) => whole(path)?,
        };
        let loaded = models::load(&self.choice, &self.machine, &bar)?;
        let settings = self.sampling.settings(&loaded.tokenizer)?;
        let seed = if self.samples == 0 { 0 } else { machine::seed(self.seed, voice)? };
        let options = ReciteOptions { n_prompt_words: self.words, n_samples: self.samples, settings, seed };
        let recital = recite(&loaded.model, &loaded.tokenizer, &text, &options, &bar)?;
        bar.clear();
        if voice.json { output::object(&recital) } else { output::text(&rendered(&recital)) }
    }

    fn extract(&self, bar: &Bar, voice: Voice) -> Result<(), Failure> {
        let set = Set::new("samples", self.extract.clone(), Read::default());
        let samples: Vec<SetDocument> = set.documents()?.collect::<Result<_, _>>()?;
        let index = self.index.as_deref().map(Index::open).transpose()?;
        let loaded = models::load(&self.choice, &self.machine, bar)?;
        let small = self.small_model.as_ref().map(|name| {
            let choice = ModelChoice { model: Some(name.clone()), tokenizer: None };
            models::load(&choice, &self.machine, bar)
        });
        let small = small.transpose()?;
        let small = small.as_ref().map(|s| (&*s.model, &*s.tokenizer));
        let found = extraction(&samples, (&*loaded.model, &*loaded.tokenizer), small, index.as_ref(), bar)?;
        bar.clear();
        if voice.json { found.iter().try_for_each(output::object) } else { output::text(&ranked(&found, self.top)) }
    }
}

/// The one text of a file.
fn whole(path: &Path) -> Result<String, Failure> {
    let mut documents = Set::new("text", vec![path.to_owned()], Read::default()).documents()?;
    match (documents.next().transpose()?, documents.next()) {
        (Some(document), None) => Ok(document.text),
        _ => Err(Failure::input(format!("'{}' does not hold one text", path.display()))),
    }
}

/// What was recited in bold, and what stands there instead.
fn rendered(recital: &Recital) -> String {
    let mut text = format!("given: {}\n", recital.prompt);
    let mut show = |name: &str, attempt: &Attempt| {
        let (recited, rest) = attempt.text.split_at(attempt.left_at);
        let of = recital.n_reference_words;
        let left = match (&attempt.expected, &attempt.written) {
            (Some(expected), Some(written)) => format!(", then '{written}' for '{expected}'"),
            (Some(_), None) => ", then it ends".to_owned(),
            (None, _) => ", to the end".to_owned(),
        };
        let _ = writeln!(text, "\n{name}: {} of {of} words recited{left}", attempt.n_words_recited);
        let _ = writeln!(text, "{}|{rest}", output::bold(recited));
    };
    show("greedy", &recital.greedy);
    for (i, sample) in recital.samples.iter().enumerate() {
        show(&format!("sample {}", i + 1), sample);
    }
    text
}

type Metric = (&'static str, fn(&Metrics) -> Option<f64>);

const METRICS: [Metric; 5] = [
    ("perplexity (-ln)", |m| Some(m.perplexity)),
    ("zlib ratio", |m| m.zlib_ratio),
    ("lower-case ratio", |m| m.lowercase_ratio),
    ("small-model ratio", |m| m.small_model_ratio),
    ("window (-ln)", |m| Some(m.window)),
];

/// For each metric the most suspicious samples, with what the index says of them.
fn ranked(found: &[Extraction], top: usize) -> String {
    let mut text = String::new();
    for (name, metric) in METRICS {
        let mut ranking: Vec<(f64, &Extraction)> = found.iter().filter_map(|e| Some((metric(&e.metrics)?, e))).collect();
        ranking.sort_by(|a, b| b.0.total_cmp(&a.0));
        if ranking.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{name:>18}  perplexity  copied  longest run  sample");
        for (value, e) in ranking.iter().take(top) {
            let copied = e.overlap.as_ref().map_or_else(|| "-".to_owned(), |o| format!("{}/{}", o.hits, o.n_grams));
            let longest = e.overlap.as_ref().map_or_else(|| "-".to_owned(), |o| format!("{} words", o.longest_span_words));
            let _ = writeln!(text, "{value:>18.4}  {:>10.2}  {copied:>6}  {longest:>11}  {} {}", e.perplexity, e.source, e.id);
        }
    }
    text
}
