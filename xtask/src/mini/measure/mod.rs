//! How the built-in model reads, measured: style, repetition, topic, bits per byte.
//!
//! The same measures are taken of the human continuations of the same prompts, since a measure that humans fail measures nothing.

mod bits;
mod draw;
mod prompts;
mod repeats;
mod style;
mod topic;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ovid_bpe::Tokenizer;
use ovid_io::documents::{JsonLinesWriter, Limits, Lines};
use ovid_io::{Silent, digest};
use ovid_model::{Cpu, Gpt2, Layout};
use serde::{Deserialize, Serialize};

use super::prepare::Document;
use super::recipe::Recipe;
use super::shards::{capped, read_documents, read_groups};
pub use bits::Bits;
use prompts::{Prompt, prompts};
use repeats::Repeats;
use style::Classifier;
use topic::{Space, area};
use words::words;

/// Bytes of the pieces of human text that the classifier learns from: about as long as a sample.
const PIECE: usize = 800;
/// Pieces of each style.
const N_PIECES: usize = 4000;

/// One sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Style of the prompt.
    pub style: String,
    /// Source and identifier of the prompt's document, and the byte where the prompt begins.
    pub document: String,
    /// Where in the document.
    pub start: usize,
    /// The seed.
    pub seed: u64,
    /// The prompt.
    pub prompt: String,
    /// The continuation, unedited.
    pub text: String,
    /// Why it ended.
    pub finish_reason: String,
}

/// The measures of one style.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StyleMeasures {
    /// Samples.
    pub n_samples: usize,
    /// Documents that the prompts come from.
    pub n_documents: usize,
    /// Samples that ended by themselves.
    pub n_ended: usize,
    /// Words and marks of a sample, on average.
    pub mean_words: f64,
    /// How often the classifier named each style.
    pub named: BTreeMap<String, usize>,
    /// Share of samples whose style was named.
    pub style_ratio: f64,
    /// The same for the human continuations.
    pub human_style_ratio: f64,
    /// Share of repeated 4-grams.
    pub repeated_ratio: f64,
    /// The same for the human continuations, cut to the samples' lengths.
    pub human_repeated_ratio: f64,
    /// Area under the curve of the second half's topic.
    pub topic_area: f64,
    /// The same for documents without the prompt.
    pub topic_area_without_prompt: f64,
    /// The same as `topic_area` for the human continuations without the part of the document that they are: prompt and what follows the continuation.
    pub human_topic_area: f64,
}

/// All measures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measures {
    /// By style.
    pub styles: BTreeMap<String, StyleMeasures>,
}

/// The model that was measured, and everything that was measured of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Its shape.
    pub shape: Shape,
    /// Parameters.
    pub n_params: usize,
    /// Tokens that it was trained on.
    pub n_tokens_seen: u64,
    /// Passes over the training text that these are.
    pub n_passes: f64,
    /// Bytes of the file.
    pub gguf_bytes: u64,
    /// SHA-256 of the file.
    pub gguf_sha256: String,
    /// Held-out text by style.
    pub bits: BTreeMap<String, Bits>,
    /// The samples by style.
    pub measures: Measures,
}

/// The shape of a GPT-2.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// Layers.
    pub n_layer: usize,
    /// Heads of a layer.
    pub n_head: usize,
    /// Width.
    pub n_embd: usize,
    /// Context.
    pub n_ctx: usize,
    /// Vocabulary.
    pub vocab_size: usize,
}

/// Scores the held-out text, draws the samples, measures them, and writes `measure.json` and `samples.jsonl` under `work`.
///
/// # Errors
/// When the model or the data cannot be read, or a file cannot be written.
pub fn run(recipe: &Recipe, work: &Path, gguf: &Path, threads: usize) -> anyhow::Result<Report> {
    let tokenizer = Arc::new(Tokenizer::load(gguf)?);
    let model = Arc::new(Gpt2::load(gguf, Cpu::new(threads), &Silent)?);
    let ground = ground(recipe, work)?;
    let end_of_text = tokenizer.end_of_text().context("the model's vocabulary has no end-of-text token")?;
    let mut held_out = Vec::new();
    for documents in read_groups(recipe, &work.join("validation.jsonl.zst"))?.into_values() {
        held_out.extend(capped(recipe, documents));
    }
    let bits = bits::bits(&model, &tokenizer, end_of_text, &held_out)?;
    let samples = draw::draw(model.clone(), tokenizer, &recipe.measure.settings, &ground.prompts)?;
    let measures = ground.measure(recipe, &samples)?;
    let config = model.config();
    let (n_tokens_seen, n_passes) = tokens_seen(&work.join("run/metrics.jsonl"))?;
    let shape =
        Shape { n_layer: config.n_layer, n_head: config.n_head, n_embd: config.n_embd, n_ctx: config.n_ctx, vocab_size: config.vocab_size };
    let report = Report {
        shape,
        n_params: Layout::new(config).n_params(),
        n_tokens_seen,
        n_passes,
        gguf_bytes: std::fs::metadata(gguf).with_context(|| format!("reading '{}'", gguf.display()))?.len(),
        gguf_sha256: digest::sha256_file(gguf, &Silent)?,
        bits,
        measures,
    };
    let mut out = JsonLinesWriter::create(&work.join("samples.jsonl"))?;
    for sample in &samples {
        out.write(sample)?;
    }
    out.finish()?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    std::fs::write(work.join("measure.json"), json).with_context(|| format!("writing '{}'", work.join("measure.json").display()))?;
    Ok(report)
}

/// Reads the samples that `run` wrote.
///
/// # Errors
/// When they cannot be read.
pub fn read_samples(work: &Path) -> anyhow::Result<Vec<Sample>> {
    let mut lines = Lines::open(&work.join("samples.jsonl"), Limits::default())?;
    let mut samples = Vec::new();
    while let Some(sample) = lines.next_json()? {
        samples.push(sample);
    }
    Ok(samples)
}

/// The tokens and passes that the last step of a run's metrics counts; 0 where there is no run.
fn tokens_seen(metrics: &Path) -> anyhow::Result<(u64, f64)> {
    let Ok(text) = std::fs::read_to_string(metrics) else { return Ok((0, 0.0)) };
    let Some(last) = text.lines().rfind(|line| line.contains("\"epoch\"")) else { return Ok((0, 0.0)) };
    let row: serde_json::Value = serde_json::from_str(last).with_context(|| format!("reading '{}'", metrics.display()))?;
    Ok((row["n_tokens"].as_u64().unwrap_or(0), row["epoch"].as_f64().unwrap_or(0.0)))
}

/// What the measures need of the data, read once.
pub struct Ground {
    classifier: Classifier,
    space: Space,
    /// Prompts by style.
    pub prompts: BTreeMap<String, Vec<Prompt>>,
}

/// Reads the documents, trains the classifier and chooses the prompts.
///
/// # Errors
/// When the documents or the vocabulary cannot be read.
pub fn ground(recipe: &Recipe, work: &Path) -> anyhow::Result<Ground> {
    let tokenizer = Tokenizer::load(&work.join("tokenizer"))?;
    let measure = &recipe.measure;
    let train = read_documents(&work.join("train.jsonl.zst"))?;
    let validation = read_documents(&work.join("validation.jsonl.zst"))?;
    let classifier = Classifier::train(
        &measure.styles,
        measure.styles.iter().enumerate().flat_map(|(i, style)| pieces(&train, style).into_iter().map(move |piece| (i, piece))),
    );
    let mut space = Space::default();
    for style in &measure.styles {
        for piece in pieces(&train, style) {
            space.add(piece);
        }
    }
    let mut chosen = BTreeMap::new();
    for style in &measure.styles {
        let documents: Vec<Document> = validation.iter().filter(|d| &d.style == style).cloned().collect();
        let found = prompts(&documents, measure.n_samples, measure.prompt_tokens, measure.settings.max_tokens, &tokenizer);
        anyhow::ensure!(
            found.len() == measure.n_samples,
            "the held-out documents of the style '{style}' give {} prompts, not {}",
            found.len(),
            measure.n_samples
        );
        chosen.insert(style.clone(), found);
    }
    Ok(Ground { classifier, space, prompts: chosen })
}

/// Pieces of the training text of a style, evenly spread over all of it.
fn pieces<'a>(documents: &'a [Document], style: &str) -> Vec<&'a str> {
    let mut all = Vec::new();
    for document in documents.iter().filter(|d| d.style == style) {
        let text = document.text.as_str();
        let mut at = 0;
        while at < text.len() {
            let end = text.floor_char_boundary(at + PIECE);
            if end - at > PIECE / 2 {
                all.push(&text[at..end]);
            }
            at = end;
        }
    }
    let step = (all.len() / N_PIECES).max(1);
    all.into_iter().step_by(step).take(N_PIECES).collect()
}

impl Ground {
    /// The human continuations as if they were samples.
    pub fn human_samples(&self) -> Vec<Sample> {
        let of = |style: &String, seed: usize, p: &Prompt| Sample {
            style: style.clone(),
            document: p.name.clone(),
            start: p.start,
            seed: seed as u64,
            prompt: p.text.clone(),
            text: p.human.clone(),
            finish_reason: "length".to_owned(),
        };
        self.prompts.iter().flat_map(|(style, prompts)| prompts.iter().enumerate().map(move |(i, p)| of(style, i, p))).collect()
    }

    /// Measures `samples`; the i-th of a style belongs to its i-th prompt.
    ///
    /// # Errors
    /// When a sample has no prompt.
    pub fn measure(&self, recipe: &Recipe, samples: &[Sample]) -> anyhow::Result<Measures> {
        let mut measures = Measures::default();
        for (index, style) in recipe.measure.styles.iter().enumerate() {
            let prompts = self.prompts.get(style).with_context(|| format!("no prompts of the style '{style}'"))?;
            let of_style: Vec<&Sample> = samples.iter().filter(|s| &s.style == style).collect();
            anyhow::ensure!(
                of_style.len() == prompts.len(),
                "{} samples of the style '{style}', but {} prompts",
                of_style.len(),
                prompts.len()
            );
            measures.styles.insert(style.clone(), self.of_style(recipe, index, prompts, &of_style));
        }
        Ok(measures)
    }

    fn of_style(&self, recipe: &Recipe, index: usize, prompts: &[Prompt], samples: &[&Sample]) -> StyleMeasures {
        let n = samples.len() as f64;
        let mut out = StyleMeasures { n_samples: samples.len(), ..StyleMeasures::default() };
        let mut names: Vec<String> = prompts.iter().map(|p| p.name.clone()).collect();
        let (mut repeats, mut human_repeats, mut n_human) = (Repeats::default(), Repeats::default(), 0);
        for (sample, prompt) in samples.iter().zip(prompts) {
            let of_sample = words(&sample.text);
            out.mean_words += of_sample.len() as f64 / n;
            out.n_ended += usize::from(sample.finish_reason == "end_of_text");
            let named = self.classifier.classify(&sample.text);
            *out.named.entry(recipe.measure.styles[named].clone()).or_default() += 1;
            n_human += usize::from(self.classifier.classify(&prompt.human) == index);
            // The same length on both sides: of the shorter of the two.
            let of_human = words(&prompt.human);
            let length = of_sample.len().min(of_human.len());
            repeats.add(&of_sample[..length]);
            human_repeats.add(&of_human[..length]);
        }
        out.style_ratio = out.named.get(&recipe.measure.styles[index]).copied().unwrap_or(0) as f64 / n;
        out.human_style_ratio = n_human as f64 / n;
        out.repeated_ratio = repeats.ratio();
        out.human_repeated_ratio = human_repeats.ratio();
        let vectors = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| self.space.vector(&text)).collect::<Vec<_>>();
        let halves = vectors(&mut samples.iter().map(|s| second_half(&s.text)));
        let documents = vectors(&mut prompts.iter().map(|p| p.document.clone()));
        out.topic_area = area(&halves, &documents, &names);
        let rest = vectors(&mut prompts.iter().map(|p| p.document[p.text.len()..].to_owned()));
        out.topic_area_without_prompt = area(&halves, &rest, &names);
        let human_halves = vectors(&mut prompts.iter().map(|p| second_half(&p.human)));
        let around = vectors(&mut prompts.iter().map(|p| format!("{} {}", p.text, &p.document[p.text.len() + p.human.len()..])));
        out.human_topic_area = area(&human_halves, &around, &names);
        names.sort_unstable();
        names.dedup();
        out.n_documents = names.len();
        out
    }
}

/// The second half of a text's words.
fn second_half(text: &str) -> String {
    let all = words(text);
    all[all.len() / 2..].join(" ")
}
