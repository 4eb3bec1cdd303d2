//! The samples that OpenAI published with GPT-2 1.5B, cut to the length of the human excerpts that they are held against.

use std::path::{Path, PathBuf};

use ovid_io::documents::{JsonLinesWriter, Limits, Lines};
use ovid_overlap::Words;
use serde::{Deserialize, Serialize};

use super::draw::first_words;

/// The sources whose texts stood on the web before GPT-2 was trained, as far as one can know; Wikipedia was taken out of `WebText`, and the other dialogues are younger.
pub const SEEN: &[&str] =
    &["classic_books", "dialogue_space", "factbook", "gum", "nltk", "openstax", "recipes", "tech_docs", "ud_ewt", "us_gov_web"];

/// The sets of samples.
const SAMPLES: &[&str] =
    &["unconditional", "unconditional-t07", "unconditional-topk40", "conditional", "conditional-t07", "conditional-topk40"];

#[derive(Deserialize)]
struct Human {
    text: String,
}

#[derive(Deserialize)]
struct Sample {
    set: String,
    context: Option<String>,
    text: String,
}

#[derive(Serialize)]
struct Line<'a> {
    id: String,
    text: &'a str,
}

/// Writes the sets and says their names and files, the human one first.
///
/// Sample i is cut to as many words as the i-th human excerpt has, and ends before the model's end-of-text. Of the samples that continue one context, the first is taken.
pub fn sets(detect: &Path, work: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut human = Vec::new();
    let mut lines = Lines::open(&detect.join("webtext.valid.jsonl.zst"), Limits::default())?;
    while let Some(Human { text }) = lines.next_json()? {
        human.push(text);
    }
    let lengths: Vec<usize> = human.iter().map(|text| Words::of(text).len()).collect();
    let mut sets = vec![("WebText excerpts".to_owned(), write(&work.join("webtext.jsonl"), human.iter().cloned())?)];

    let mut samples = Vec::new();
    let mut lines = Lines::open(&detect.join("openai_gpt2_1542M.jsonl.zst"), Limits::default())?;
    while let Some(sample) = lines.next_json::<Sample>()? {
        samples.push(sample);
    }
    for name in SAMPLES {
        let mut contexts = std::collections::HashSet::new();
        let of_set = samples.iter().filter(|s| s.set == *name && s.context.as_ref().is_none_or(|c| contexts.insert(c.clone())));
        let cut = of_set.zip(&lengths).map(|(sample, n)| {
            let text = sample.text.split("<|endoftext|>").next().unwrap_or_default();
            first_words(text, *n)
        });
        sets.push(((*name).to_owned(), write(&work.join(format!("gpt2.{name}.jsonl")), cut)?));
    }
    Ok(sets)
}

fn write(path: &Path, texts: impl Iterator<Item = String>) -> anyhow::Result<PathBuf> {
    let mut out = JsonLinesWriter::create(path)?;
    for (i, text) in texts.enumerate() {
        out.write(&Line { id: i.to_string(), text: &text })?;
    }
    out.finish()?;
    Ok(path.to_owned())
}
