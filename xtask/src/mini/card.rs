//! The words that hang on the model: its card, `docs/ovid-mini.md`'s tables and `docs/samples.md`, written from what was counted and measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use ovid_generate::Settings;

use super::measure::{Report, Sample};
use super::prepare::Counts;
use super::recipe::Recipe;

/// Samples of each style in `docs/samples.md`.
const SHOWN: usize = 5;

/// Everything that is said.
pub struct Facts<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// What became of the sources.
    pub counts: BTreeMap<String, Counts>,
    /// What was measured.
    pub report: Report,
    /// The samples.
    pub samples: Vec<Sample>,
}

impl Facts<'_> {
    /// Writes the card and the pages.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        for (file, text) in [
            ("crates/ovid-mini/MODEL_CARD.md", self.card()?),
            ("docs/ovid-mini.md", self.page()?),
            ("docs/samples.md", self.samples_page()?),
        ] {
            let path = root.join(file);
            std::fs::write(&path, text).with_context(|| format!("writing '{}'", path.display()))?;
            eprintln!("wrote {file}");
        }
        Ok(())
    }

    fn card(&self) -> anyhow::Result<String> {
        let Report { shape, n_params, n_tokens_seen, n_passes, gguf_bytes, gguf_sha256, .. } = &self.report;
        let mut out = String::from(
            "---\nlanguage: en\nlicense: cc-by-sa-4.0\nlibrary_name: ovid\npipeline_tag: text-generation\nmodel_name: ovid-mini\ntags:\n- gpt2\n- gguf\n---\n# ovid-mini\n\n",
        );
        writeln!(
            out,
            "The model built into Ovid: a GPT-2 of {:.2} million parameters that continues English text offline, so that a person who has just built the program reads text at once. \
             It is a demonstration and a test object, not a source of facts. Everything on this page is written by `cargo xtask remake-mini card` from counts and measurements.\n",
            *n_params as f64 / 1e6
        )?;
        out += "## Shape\n\n";
        writeln!(
            out,
            "| | |\n| --- | --- |\n| layers | {} |\n| heads | {} |\n| width | {} |\n| context | {} tokens |",
            shape.n_layer, shape.n_head, shape.n_embd, shape.n_ctx
        )?;
        writeln!(out, "| vocabulary | {} tokens, byte-level BPE trained on the same text, `<|endoftext|>` among them |", shape.vocab_size)?;
        writeln!(
            out,
            "| parameters | {n_params} (embedding tied to the head) |\n| file | GGUF, Q8_0, {gguf_bytes} bytes, sha256 `{gguf_sha256}` |\n| tokens seen in training | {n_tokens_seen}, {n_passes:.2} passes over the text below |\n"
        )?;
        out += "## Held-out text\n\n";
        out += "One document in fifty of each source was never trained on (`docs/ovid-mini.md`). Bits per byte of the shipped file on it, ";
        out += "scored in windows of one context that move by half:\n\n";
        out += &self.bits_table()?;
        out += "\n## How it reads\n\n";
        out += &self.measures_table()?;
        out += "\n## Data\n\nAll from public sources, cleaned and weighed as `docs/ovid-mini.md` says:\n\n| source | licence | megabytes in a pass | attribution |\n| --- | --- | --- | --- |\n";
        for source in &self.recipe.source {
            let count = self.counts.get(&source.name).cloned().unwrap_or_default();
            writeln!(out, "| {} | {} | {:.1} | {} |", source.name, source.licence, count.pass_bytes as f64 / 1e6, source.attribution)?;
        }
        out += "\nThe texts were cleaned and shortened; none is contained in this file as text. Sources under CC BY-SA ask for the same licence of what is made from them; \
                whether weights are is not settled, and they are given under CC BY-SA 4.0 to be safe. The Ovid project's own code is under MIT or Apache-2.0.\n";
        out += "\n## Limits\n\n\
                - It knows nothing: names, dates, figures and quotations in its text are invented. Do not use it for information, advice or decisions.\n\
                - English only; quotes and dashes are straight and plain, since its training text was made so.\n\
                - A large part of its text are books, most from before 1930, and transcripts of their time: it can write the prejudices and slurs of those books.\n\
                - It keeps to a topic for a paragraph or so, and sees one context at most.\n\
                - Like any language model it can repeat passages of its training text.\n";
        Ok(out)
    }

    fn bits_table(&self) -> anyhow::Result<String> {
        let mut out = String::from("| style | documents | bytes | bits per byte | nats per token |\n| --- | --- | --- | --- | --- |\n");
        for (style, bits) in &self.report.bits {
            writeln!(
                out,
                "| {style} | {} | {} | {:.3} | {:.3} |",
                bits.n_documents,
                bits.n_bytes,
                bits.per_byte(),
                bits.loss_nats / bits.n_tokens.max(1) as f64
            )?;
        }
        Ok(out)
    }

    fn measures_table(&self) -> anyhow::Result<String> {
        let settings = &self.recipe.measure;
        let mut out = format!(
            "{} samples for each of four styles, unchosen: prompts are the first {} tokens at paragraphs of held-out documents in the order of their hashes, the i-th with seed i; \
             settings `{}`. Beside each figure stands that of what the human wrote next.\n\n",
            settings.n_samples,
            settings.prompt_tokens,
            said(&settings.settings)?
        );
        out += "| style | style named (human) | repeated 4-grams (human) | topic, area under the curve (human) | without the prompt | words | ended by itself |\n| --- | --- | --- | --- | --- | --- | --- |\n";
        for (style, m) in &self.report.measures.styles {
            writeln!(
                out,
                "| {style} | {:.1}% ({:.1}%) | {:.2}% ({:.2}%) | {:.3} ({:.3}) | {:.3} | {:.0} | {} |",
                100.0 * m.style_ratio,
                100.0 * m.human_style_ratio,
                100.0 * m.repeated_ratio,
                100.0 * m.human_repeated_ratio,
                m.topic_area,
                m.human_topic_area,
                m.topic_area_without_prompt,
                m.mean_words,
                m.n_ended
            )?;
        }
        out += "\n- *Style named*: share of continuations whose style a naive Bayes classifier over words and word pairs, trained on human training text only, names rightly.\n\
                - *Repeated 4-grams*: share of word 4-grams that the same continuation had before, at the length of the shorter of sample and human text.\n\
                - *Topic*: how often the second half of a continuation is nearer (tf-idf, cosine) to its own prompt's document than to another prompt's of the same style. \
                The human figure leaves the continuation itself out of the document, so it is of prompt and later text only.\n";
        Ok(out)
    }

    fn page(&self) -> anyhow::Result<String> {
        let mut out = String::from(
            "# How ovid-mini is made\n\n`cargo xtask remake-mini all` makes it again: `prepare`, `vocabulary`, `shards`, `train`, `convert`, `measure`, `card`, `release`, each also by itself. \
             The recipe, with the reason for each choice, is `xtask/mini.toml`; this page is written by `card` from what was counted and measured. \
             The text lies in `../shared/data/corpus`, which is no part of the project.\n\n## Artefacts\n\n",
        );
        for (path, what) in super::ARTEFACTS {
            writeln!(out, "- `{path}`: {what}")?;
        }
        let duplicates = &self.recipe.duplicates;
        writeln!(
            out,
            "\n## Cleaning\n\nEvery document is brought to one spelling of quotes, dashes and blanks; hard line wraps inside paragraphs are joined; then each kind of source loses what was found in it: \
             front matter, contents, footnotes and plates in books; list sections, stripped lists' introductions, empty headings and leftovers of tables in Wikipedia; boilerplate, bare link lists and metadata in web pages; \
             aims, questions and reading lists in textbooks; code in manuals; clocks and unheard passages in transcripts; figures in fact sheets. A paragraph of fewer than 18% function words, or mostly of numbers or names, is no prose and goes. \
             Paragraphs of {} bytes or more stand once in the whole corpus. Documents whose word 5-grams are alike at {} or more (Jaccard, estimated by MinHash) stand once; those at {} or more lie on the same side of the split.\n",
            duplicates.paragraph_bytes, duplicates.drop_at, duplicates.together_at
        )?;
        out += "Validation is where the first 8 bytes of sha256(source, 0, id), read as a big-endian number, are 0 modulo 50, and at least one document a source.\n\n## Sources\n\n";
        out += "| source | style | documents | MB | left out | kept to train | MB | weight | MB in a pass | held out |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
        let mut pass = 0;
        for source in &self.recipe.source {
            let c = self.counts.get(&source.name).cloned().unwrap_or_default();
            let left: Vec<String> = c.left_out.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            writeln!(
                out,
                "| {} | {} | {} | {:.1} | {} | {} | {:.1} | {} | {:.1} | {} |",
                source.name,
                source.style,
                c.read_documents,
                c.read_bytes as f64 / 1e6,
                left.join(", "),
                c.train_documents,
                c.train_bytes as f64 / 1e6,
                source.weight,
                c.pass_bytes as f64 / 1e6,
                c.validation_documents
            )?;
            pass += c.pass_bytes;
        }
        writeln!(out, "\n{:.1} MB in a pass. Why each is weighed so:\n", pass as f64 / 1e6)?;
        for source in &self.recipe.source {
            writeln!(out, "- **{}**: {}", source.name, source.why)?;
        }
        out += "\n## Bits per byte on held-out text\n\n";
        out += &self.bits_table()?;
        out += "\n## Samples, measured\n\n";
        out += &self.measures_table()?;
        out += "\nThe training loss: ![loss curve](ovid-mini-loss.svg) ([numbers](ovid-mini-loss.csv)).\n";
        Ok(out)
    }

    fn samples_page(&self) -> anyhow::Result<String> {
        let settings = said(&self.recipe.measure.settings)?;
        let mut out = format!(
            "# Twenty samples of ovid-mini\n\n[`ovid samples`](samples-command.md) makes samples that others can check. Unedited and unchosen: the first five prompts of each of four styles, which are beginnings of held-out documents in the order of their hashes, \
             with seeds 0 to 4. Settings `{settings}`; the first {} tokens are the human's (in bold), the rest is the model's. \
             Written by `cargo xtask remake-mini card` for the model with sha256 `{}`.\n",
            self.recipe.measure.prompt_tokens, self.report.gguf_sha256
        );
        for style in &self.recipe.measure.styles {
            writeln!(out, "\n## {style}")?;
            for sample in self.samples.iter().filter(|s| &s.style == style).take(SHOWN) {
                writeln!(
                    out,
                    "\nSeed {}; {}, byte {}; ended: {}.\n",
                    sample.seed,
                    sample.document,
                    sample.start,
                    sample.finish_reason.replace('_', " ")
                )?;
                out += &quoted(&sample.prompt, &sample.text);
            }
        }
        Ok(out)
    }
}

/// The settings that say something, as JSON.
fn said(settings: &Settings) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(settings)?;
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, v| !v.is_null() && v.as_array().is_none_or(|list| !list.is_empty()));
    }
    Ok(value.to_string())
}

/// The prompt in bold and the text as a quotation, lines kept, marks of Markdown escaped.
fn quoted(prompt: &str, text: &str) -> String {
    let mut out = String::new();
    let bold = |line: &str| {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            String::new()
        } else {
            format!("{}**{}**{}", &line[..line.len() - line.trim_start().len()], escaped(trimmed), &line[line.trim_end().len()..])
        }
    };
    let mut whole: Vec<String> = prompt.split('\n').map(bold).collect();
    let mut lines = text.split('\n').map(escaped);
    if let (Some(last), Some(first)) = (whole.last_mut(), lines.next()) {
        last.push_str(&first);
    }
    whole.extend(lines);
    for line in whole {
        let line = line.trim_end();
        out += if line.is_empty() { ">" } else { "> " };
        out += line;
        out += if line.is_empty() { "\n" } else { "  \n" };
    }
    out
}

fn escaped(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        if matches!(c, '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '|' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_bold_and_the_text_follows_in_its_line() {
        assert_eq!(quoted("Title\n\nThe old", " man * said\nso"), "> **Title**  \n>\n> **The old** man \\* said  \n> so  \n");
    }
}
