//! From the corpus to documents: clean, drop duplicates, split, limit, write. The same bytes on every machine.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::Context;
use ovid_corpus::near::{near, signature};
use ovid_io::documents::is_validation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::clean::{Make, Raw, Reason, clean, make_of};
use super::duplicates::Paragraphs;
use super::recipe::{Kind, Prefer, Recipe, Source};

/// A document as the later stages read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// The source's name.
    pub source: String,
    /// Identifier within the source.
    pub id: String,
    /// The style that it teaches.
    pub style: String,
    /// The text.
    pub text: String,
}

/// What became of a source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Documents in the corpus.
    pub read_documents: usize,
    /// Bytes of their text.
    pub read_bytes: usize,
    /// Documents left out, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// Bytes of paragraphs that stand in an earlier document.
    pub repeated_paragraph_bytes: usize,
    /// Documents to train on.
    pub train_documents: usize,
    /// Their bytes, once.
    pub train_bytes: usize,
    /// Their bytes in one pass (with the source's weight).
    pub pass_bytes: usize,
    /// Documents held out.
    pub validation_documents: usize,
    /// Their bytes.
    pub validation_bytes: usize,
}

struct Candidate {
    source: usize,
    id: String,
    title: String,
    style: String,
    text: String,
    make: Make,
    validation: bool,
}

/// The first 8 bytes of sha256(source, 0, id) as a big-endian number: what the split and every draw among documents go by.
pub fn place_of(source: &str, id: &str) -> u64 {
    let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize();
    digest.iter().take(8).fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// Prepares all sources and writes `train.jsonl.zst`, `validation.jsonl.zst` and `counts.json` under `out`.
///
/// # Errors
/// When a file cannot be read or written, or holds a line that is no document.
pub fn prepare(recipe: &Recipe, corpus: &Path, out: &Path) -> anyhow::Result<BTreeMap<String, Counts>> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut candidates = Vec::new();
    for (index, source) in recipe.source.iter().enumerate() {
        let count = counts.entry(source.name.clone()).or_default();
        read_source(corpus, source, index, count, &mut candidates)?;
        eprintln!("{}: {} documents, {:.1} MB read", source.name, count.read_documents, count.read_bytes as f64 / 1e6);
    }
    drop_duplicates(recipe, &mut candidates, &mut counts);
    hold_out_one_each(recipe, &mut candidates);
    let kept = limit(recipe, candidates, &mut counts);
    write(recipe, &kept, &mut counts, out)?;
    Ok(counts)
}

fn read_source(corpus: &Path, source: &Source, index: usize, count: &mut Counts, into: &mut Vec<Candidate>) -> anyhow::Result<()> {
    let path = corpus.join(format!("{}.jsonl.zst", source.name));
    let file = File::open(&path).with_context(|| format!("reading '{}'", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, zstd::Decoder::new(file)?);
    let mut line = Vec::new();
    for n in 1.. {
        line.clear();
        // Texts hold raw U+2028: a line ends at `\n` only.
        if reader.read_until(b'\n', &mut line).with_context(|| format!("reading '{}'", path.display()))? == 0 {
            break;
        }
        let raw: Raw = serde_json::from_slice(&line).with_context(|| format!("'{}' line {n} is no document", path.display()))?;
        count.read_documents += 1;
        count.read_bytes += raw.text.len();
        match clean(&raw, source) {
            Ok((text, style)) => {
                let make = make_of(&text);
                into.push(Candidate { source: index, make, id: raw.id, title: raw.title, style, text, validation: false });
            }
            Err(reason) => leave_out(count, reason),
        }
    }
    Ok(())
}

fn leave_out(count: &mut Counts, reason: Reason) {
    *count.left_out.entry(reason.words().to_owned()).or_default() += 1;
}

/// Share of a document that may be repeated elsewhere before the whole is a duplicate.
const REPEATED_RATIO: f64 = 0.4;

fn drop_duplicates(recipe: &Recipe, candidates: &mut Vec<Candidate>, counts: &mut BTreeMap<String, Counts>) {
    let mut texts = HashSet::new();
    let mut paragraphs = Paragraphs::default();
    let mut keep = Vec::with_capacity(candidates.len());
    for candidate in candidates.iter_mut() {
        let source = &recipe.source[candidate.source];
        let count = counts.entry(source.name.clone()).or_default();
        let mut reason = (!texts.insert(xxh3_64(candidate.text.as_bytes()))).then_some(Reason::Duplicate);
        // In a dialogue every turn is a line of its own and "thank you" may stand twice.
        if reason.is_none() && !matches!(source.kind, Kind::Dialogue | Kind::Transcript | Kind::Recipe) {
            let before = candidate.text.len();
            let (text, removed) = paragraphs.without_repeated(&candidate.text, recipe.duplicates.paragraph_bytes);
            count.repeated_paragraph_bytes += removed;
            candidate.text = text;
            reason =
                (removed as f64 > REPEATED_RATIO * before as f64 || candidate.text.len() < source.min_bytes).then_some(Reason::Duplicate);
        }
        if let Some(reason) = reason {
            leave_out(count, reason);
        }
        keep.push(reason.is_none());
    }
    retain(candidates, &keep);
    let signatures: Vec<_> = candidates.iter().map(|c| signature(&c.text)).collect();
    let near = near(&signatures, recipe.duplicates.drop_at, recipe.duplicates.together_at);
    for i in 0..candidates.len() {
        // The first of a cluster decides for all of it.
        let first = &candidates[near.cluster[i]];
        candidates[i].validation = is_validation(&recipe.source[first.source].name, &first.id);
        if near.drop[i] {
            leave_out(counts.entry(recipe.source[candidates[i].source].name.clone()).or_default(), Reason::NearDuplicate);
        }
    }
    let keep: Vec<bool> = near.drop.iter().map(|drop| !drop).collect();
    retain(candidates, &keep);
}

fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}

/// Holds out the first document by hash of a source of which the rule holds out none.
fn hold_out_one_each(recipe: &Recipe, candidates: &mut [Candidate]) {
    for (index, source) in recipe.source.iter().enumerate() {
        let none = !candidates.iter().any(|c| c.source == index && c.validation);
        let first = candidates.iter_mut().filter(|c| none && c.source == index).min_by_key(|c| place_of(&source.name, &c.id));
        if let Some(first) = first {
            first.validation = true;
        }
    }
}

/// Keeps the training documents of each source that the limit allows; the order of the corpus is kept.
fn limit(recipe: &Recipe, candidates: Vec<Candidate>, counts: &mut BTreeMap<String, Counts>) -> Vec<Candidate> {
    let mut keep = vec![true; candidates.len()];
    for (index, source) in recipe.source.iter().enumerate() {
        let mut ranked: Vec<(u64, usize)> = Vec::new();
        let mut of_title: HashMap<&str, u64> = HashMap::new();
        let mut order: Vec<usize> = (0..candidates.len()).filter(|&i| candidates[i].source == index && !candidates[i].validation).collect();
        order.sort_by_key(|&i| place_of(&source.name, &candidates[i].id));
        for (n, &i) in order.iter().enumerate() {
            let rank = match source.prefer {
                // Least first: names and numbers count against a text, function words for it.
                Prefer::Prose => {
                    ((1.0 + candidates[i].make.name_ratio + 2.0 * candidates[i].make.digit_ratio - candidates[i].make.function_ratio)
                        .max(0.0)
                        * 1e9) as u64
                }
                Prefer::Variety => {
                    let n_of_title = of_title.entry(&candidates[i].title).or_default();
                    *n_of_title += 1;
                    *n_of_title * 1_000_000 + n as u64
                }
            };
            ranked.push((rank, i));
        }
        ranked.sort_unstable();
        let mut room = (source.limit_mb * 1e6) as usize;
        for (_, i) in ranked {
            let len = candidates[i].text.len();
            if len > room {
                keep[i] = false;
                leave_out(counts.entry(source.name.clone()).or_default(), Reason::Limit);
            } else {
                room -= len;
            }
        }
    }
    let mut kept = candidates;
    retain(&mut kept, &keep);
    kept
}

fn write(recipe: &Recipe, kept: &[Candidate], counts: &mut BTreeMap<String, Counts>, out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("making '{}'", out.display()))?;
    for validation in [false, true] {
        let path = out.join(if validation { "validation.jsonl.zst" } else { "train.jsonl.zst" });
        ovid_io::atomic::write_atomic(&path, |file| {
            let mut encoder = zstd::Encoder::new(file, 6)?;
            for candidate in kept.iter().filter(|c| c.validation == validation) {
                let source = &recipe.source[candidate.source];
                let document = Document {
                    source: source.name.clone(),
                    id: candidate.id.clone(),
                    style: candidate.style.clone(),
                    text: candidate.text.clone(),
                };
                serde_json::to_writer(&mut encoder, &document)?;
                encoder.write_all(b"\n")?;
                let count = counts.entry(source.name.clone()).or_default();
                if validation {
                    count.validation_documents += 1;
                    count.validation_bytes += candidate.text.len();
                } else {
                    count.train_documents += 1;
                    count.train_bytes += candidate.text.len();
                    count.pass_bytes += (candidate.text.len() as f64 * source.weight) as usize;
                }
            }
            encoder.finish().map(|_| ())
        })?;
    }
    let json = serde_json::to_string_pretty(&counts)?;
    std::fs::write(out.join("counts.json"), json + "\n").with_context(|| format!("writing '{}'", out.join("counts.json").display()))
}
