//! What samples are like, by how they were drawn: length, repetition, diversity, perplexity; and how often each prompt was tried.
//!
//! In: samples of a ledger or a dump. Out: a table, figures. Measures: distinct-n (Li et al. 2016), self-BLEU (Zhu et al. 2018), the share of repeated 4-grams in a sample
//! (Welleck et al. 2020, seq-rep-4), perplexity of the drawn tokens under a model that is given the prompt.

mod bleu;
mod measure;

use std::path::Path;

use ovid_eval::{Options, Place, Scorer};
use ovid_figures::{LineChart, Series};
use ovid_generate::Generation;
use ovid_io::documents::{Limits, Lines};
use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};

use crate::dump::Manifest;
use crate::ledger::{PromptTries, State};
use crate::publish::describe;
use crate::words::words;
use crate::{Batch, Error, Ledger, dump};

/// Self-BLEU compares every sample with every other: so many of a group are compared, the first.
pub const MOST_COMPARED: usize = 500;

/// The samples of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleStats {
    /// The setting, in words; `human` for texts that a person wrote.
    pub sampler: String,
    /// Samples.
    pub n_samples: u64,
    /// Drawn tokens, all together.
    pub n_tokens: u64,
    /// Drawn tokens a sample, on average.
    pub mean_tokens: f64,
    /// Words a sample, on average.
    pub mean_words: f64,
    /// For n from 1 to 4: different runs of n words over all runs of n words of the group. It falls with the number and length of samples: compare groups of like size.
    pub distinct: [f64; 4],
    /// The share of runs of 4 tokens that stood in the same sample before, on average over samples.
    pub repeated_4: f64,
    /// BLEU-4 of each sample against all others of the group, on average: 1 where all are alike. Null below two samples.
    pub self_bleu: Option<f64>,
    /// Perplexity of the drawn tokens, all together; null where no model was asked.
    pub perplexity: Option<f64>,
    /// The perplexity of each sample, ascending: what the figure shows.
    pub perplexities: Vec<f64>,
}

/// What `ovid samples stats` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsReport {
    /// The ledger or folder, as it was named.
    pub source: String,
    /// The model that perplexities are under.
    pub model: Option<String>,
    /// One for each setting.
    pub samplers: Vec<SampleStats>,
    /// How often each prompt was tried, most often first; of a ledger.
    pub tries: Vec<PromptTries>,
}

/// A group's samples: the prompt's tokens, the drawn tokens, the text.
#[derive(Default)]
struct Group {
    sampler: String,
    samples: Vec<(Vec<u32>, Vec<u32>, String)>,
}

/// Measures the whole samples of a ledger, or all of a dump's folder; `human` texts, where given, are a group of their own. Perplexity is under the batch's model.
///
/// # Errors
/// Where something cannot be read, the model fails, or the observer cancels.
pub fn stats(source: &Path, human: &[String], batch: &Batch<'_>, model: &str) -> Result<StatsReport, Error> {
    let mut groups: Vec<Group> = Vec::new();
    let mut take = |g: Generation| {
        let sampler = describe(&g.sampler);
        let at = groups.iter().position(|group| group.sampler == sampler).unwrap_or_else(|| {
            groups.push(Group { sampler, samples: Vec::new() });
            groups.len() - 1
        });
        groups[at].samples.push((g.prompt_ids, g.ids, g.text));
    };
    let mut tries = Vec::new();
    if source.is_dir() {
        let (manifest, _) = Manifest::read(source)?;
        for file in &manifest.files {
            let mut lines = Lines::open(&dump::plain_file(source, &file.json_lines.name)?, Limits::default())?;
            while let Some(sample) = lines.next_json::<Generation>()? {
                take(sample);
            }
        }
    } else {
        let ledger = Ledger::open_to_read(source)?;
        ledger.for_each(|sample| {
            if sample.state == State::Completed {
                sample.generation().into_iter().for_each(&mut take);
            }
            Ok(())
        })?;
        tries = ledger.tries()?;
        tries.sort_by_key(|t| std::cmp::Reverse(t.tries));
    }
    if !human.is_empty() {
        let samples = human.iter().map(|text| (Vec::new(), batch.tokenizer.encode(text.as_bytes()), text.clone())).collect();
        groups.push(Group { sampler: "human".into(), samples });
    }
    let samplers = groups.iter().map(|group| measure(group, batch)).collect::<Result<_, _>>()?;
    Ok(StatsReport { source: source.display().to_string(), model: Some(model.to_owned()), samplers, tries })
}

fn measure(group: &Group, batch: &Batch<'_>) -> Result<SampleStats, Error> {
    let n = group.samples.len();
    let texts: Vec<Vec<String>> = group.samples.iter().map(|s| words(&s.2)).collect();
    let n_tokens: usize = group.samples.iter().map(|s| s.1.len()).sum();
    let mean = |sum: f64| if n == 0 { 0.0 } else { sum / n as f64 };
    let (perplexity, perplexities) = perplexities(group, batch)?;
    Ok(SampleStats {
        sampler: group.sampler.clone(),
        n_samples: n as u64,
        n_tokens: n_tokens as u64,
        mean_tokens: mean(n_tokens as f64),
        mean_words: mean(texts.iter().map(Vec::len).sum::<usize>() as f64),
        distinct: [1, 2, 3, 4].map(|n| measure::distinct(&texts, n)),
        repeated_4: mean(group.samples.iter().map(|s| measure::repeated(&s.1, 4)).sum()),
        self_bleu: bleu::self_bleu(&texts[..n.min(MOST_COMPARED)], batch.observer)?,
        perplexity,
        perplexities,
    })
}

/// Of all drawn tokens together, and of each sample.
fn perplexities(group: &Group, batch: &Batch<'_>) -> Result<(Option<f64>, Vec<f64>), Error> {
    let options = Options::new(batch.model, batch.tokenizer);
    let begin = options.begin;
    let mut scorer = Scorer::new(batch.model, batch.tokenizer, options, &ovid_io::Silent)?;
    let (mut sum, mut n_scored, mut each) = (0.0, 0u64, Vec::new());
    let mut given = Vec::new();
    let mut hear = |given: &[usize], scores: Vec<ovid_eval::DocumentScore>, first: &mut usize| {
        for score in scores {
            let drawn = score.tokens.iter().skip(given[*first]).filter_map(|t| t.logprob.map(f64::from));
            *first += 1;
            let (nats, n) = drawn.fold((0.0, 0u64), |(sum, n), logprob| (sum - logprob, n + 1));
            if n > 0 {
                (sum, n_scored) = (sum + nats, n_scored + n);
                each.push((nats / n as f64).exp());
            }
        }
    };
    let mut first = 0;
    for (done, (prompt, ids, _)) in group.samples.iter().enumerate() {
        // A sample without a prompt begins with end-of-text, which the scorer puts there itself.
        let prompt = if prompt.len() == 1 && prompt.first().copied() == begin { &[] } else { prompt.as_slice() };
        given.push(prompt.len());
        let scores = scorer.push_ids(&[prompt, ids].concat(), Place::default())?;
        hear(&given, scores, &mut first);
        let progress = Progress { stage: "scoring", done: done as u64, total: Some(group.samples.len() as u64), unit: "samples" };
        batch.observer.progress(progress);
        if batch.observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
    let rest = scorer.finish()?;
    hear(&given, rest, &mut first);
    each.sort_by(f64::total_cmp);
    Ok(((n_scored > 0).then(|| (sum / n_scored as f64).exp()), each))
}

impl StatsReport {
    /// Writes the figures beside `stem`: distinct-n over n, and the share of samples up to each perplexity, as SVG and CSV; their names.
    ///
    /// # Errors
    /// Where there is nothing to draw, or a file cannot be written.
    pub fn write_figures(&self, stem: &Path) -> Result<Vec<String>, Error> {
        let mut diversity = LineChart::new("Different runs of words", "words in a run", "share of runs that are different (distinct-n)");
        let mut perplexity = LineChart::new("Perplexity of samples", "perplexity of a sample", "share of samples up to it");
        perplexity.x_scale = ovid_figures::Scale::Log;
        for group in &self.samplers {
            let points = group.distinct.iter().zip(1..).map(|(&d, n)| (f64::from(n), d)).collect();
            diversity = diversity.with(Series::new(&group.sampler, points));
            let n = group.perplexities.len() as f64;
            let points = group.perplexities.iter().zip(1..).map(|(&p, i)| (p, f64::from(i) / n)).collect();
            perplexity = perplexity.with(Series::new(&group.sampler, points));
        }
        let mut names = Vec::new();
        for (ending, chart) in [("distinct", diversity), ("perplexity", perplexity)] {
            let name = format!("{}-{ending}", stem.display());
            chart.write(Path::new(&name))?;
            names.extend([format!("{name}.svg"), format!("{name}.csv")]);
        }
        Ok(names)
    }
}

/// Says how far self-BLEU has come.
fn comparing(observer: &dyn Observer, done: usize, total: usize) -> Result<(), Error> {
    observer.progress(Progress { stage: "comparing", done: done as u64, total: Some(total as u64), unit: "samples" });
    if observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
