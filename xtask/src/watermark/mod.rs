//! The tables of `docs/watermark.md`: `cargo xtask watermark`. They hang on the built-in model's weights and take a few minutes.
//!
//! Prompts are the first 32 tokens of held-out documents; each is continued by 200 tokens, under each scheme and sampler, with a key of its own. Detectors get the continuation's
//! text alone, cut into tokens anew.

mod measure;
mod texts;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use ovid_detect::attack::Attack;
use ovid_generate::Settings;
use ovid_stats::wilson;
use ovid_watermark::{GreenList, Gumbel, Scheme, Tournament};
use serde_json::json;

use measure::{Found, overlap};
use texts::{Ground, N_NEW, N_PROMPT};

const PAGE: &str = "docs/watermark.md";
const BEGIN: &str = "<!-- written by cargo xtask watermark -->\n";
const END: &str = "<!-- end of what cargo xtask watermark wrote -->";
/// Texts in each row.
const N_TEXTS: usize = 60;
/// Prompts that are continued again and again, and how often.
const REPEATED: (usize, usize) = (10, 6);
/// The false-positive rate of every table.
const FPR: f64 = 1e-3;
const LENGTHS: [usize; 5] = [25, 50, 100, 150, 200];

/// Writes the tables into the page.
///
/// # Errors
/// Where the corpus is absent, the model fails, or the page has no place for the tables.
pub fn write(root: &Path) -> Result<bool> {
    let tables = tables(&Ground::open(root, N_TEXTS)?)?;
    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END:?}"))?;
    ovid_io::atomic::write_atomic(&path, |out| std::io::Write::write_all(out, format!("{before}{BEGIN}{tables}{END}{after}").as_bytes()))?;
    Ok(true)
}

/// Rows of the tables.
fn schemes() -> Result<Vec<(&'static str, Option<Scheme>)>> {
    Ok(vec![
        ("no watermark", None),
        ("green list, width 1", Some(Scheme::GreenList(GreenList::default()))),
        ("green list, width 4", Some(Scheme::GreenList(GreenList::new(0.25, 2.0, 4, false)?))),
        ("green list, self-hash, width 4", Some(Scheme::GreenList(GreenList::new(0.25, 2.0, 4, true)?))),
        ("gumbel, width 4", Some(Scheme::Gumbel(Gumbel::default()))),
        ("tournament, width 4", Some(Scheme::Tournament(Tournament::default()))),
    ])
}

fn samplers() -> Result<Vec<(&'static str, Settings)>> {
    let settings = |temperature: f64, top_k: Option<u32>| -> Result<Settings> {
        Ok(serde_json::from_value(json!({ "temperature": temperature, "top_k": top_k, "min_tokens": N_NEW, "max_tokens": N_NEW }))?)
    };
    Ok(vec![
        ("temperature 1, full vocabulary", settings(1.0, None)?),
        ("temperature 1, top-k 40", settings(1.0, Some(40))?),
        ("temperature 0.5, full vocabulary", settings(0.5, None)?),
    ])
}

fn tables(ground: &Ground) -> Result<String> {
    let n_sources = ground.n_sources();
    let mut page = format!(
        "{N_TEXTS} texts a row: the first {N_PROMPT} tokens of held-out documents of {n_sources} sources, continued by {N_NEW} tokens of ovid-mini, the i-th with seed i and key i. \
         TPR: the share called marked at a false-positive rate of {FPR}, with Wilson's 95% interval. Entropy: of the sampler's distribution, in nats a token, over the unmarked texts.\n\n\
         ### Samplers, and the entropy that explains them\n\n| sampler | entropy | scheme | TPR at {FPR} | median log10 p | tokens counted |\n| --- | --- | --- | --- | --- | --- |\n"
    );
    let mut lengths = String::new();
    let mut attacks = String::new();
    let mut quality = String::new();
    for (s, (sampler, settings)) in samplers()?.iter().enumerate() {
        let mut entropy = 0.0;
        for (name, scheme) in schemes()? {
            eprintln!("{sampler}, {name}");
            let texts = ground.continued(settings, scheme)?;
            if scheme.is_none() {
                entropy = ground.entropy(settings, &texts)?;
            }
            if let Some(scheme) = scheme {
                let found = Found::of(texts.iter().enumerate().map(|(i, t)| ground.judged(i, scheme, &t.text, usize::MAX)));
                let counted = found.mean_counted();
                writeln!(page, "| {sampler} | {entropy:.2} | {name} | {} | {:.1} | {counted:.0} |", rate(&found), found.median_log10_p())?;
                if s == 0 {
                    let by_length = LENGTHS.map(|n| {
                        let found = Found::of(texts.iter().enumerate().map(|(i, t)| ground.judged(i, scheme, &t.text, n)));
                        format!("{:.3}", found.rate())
                    });
                    writeln!(lengths, "| {name} | {} |", by_length.join(" | "))?;
                    let by_attack = Attack::ALL.map(|attack| {
                        let attacked: Vec<String> =
                            texts.iter().enumerate().map(|(i, t)| attack.apply(&t.text, ground.human(i), i as u64)).collect();
                        let rate = |clean: bool| {
                            let one = |(i, t): (usize, &String)| {
                                let text = if clean { ovid_detect::clean(t) } else { t.clone() };
                                ground.judged(i, scheme, &text, usize::MAX)
                            };
                            Found::of(attacked.iter().enumerate().map(one)).rate()
                        };
                        if attack.can_be_undone() {
                            format!("{:.2} ({:.2})", rate(false), rate(true))
                        } else {
                            format!("{:.2}", rate(false))
                        }
                    });
                    writeln!(attacks, "| {name} | {} |", by_attack.join(" | "))?;
                }
            }
            if s < 2 {
                let n = texts.len() as f64;
                let loss = texts.iter().map(|t| t.loss_nats).sum::<f64>() / n;
                let repeated = texts.iter().map(|t| measure::repeated(&t.text)).sum::<f64>() / n;
                let again = ground.again(settings, scheme, REPEATED)?;
                writeln!(
                    quality,
                    "| {sampler} | {name} | {:.1} | {:.2}% | {} of {} | {:.1}% |",
                    loss.exp(),
                    100.0 * repeated,
                    measure::n_distinct(&again),
                    REPEATED.0 * REPEATED.1,
                    100.0 * overlap(&again)
                )?;
            }
        }
    }
    let heads = LENGTHS.map(|n| format!("{n} tokens")).join(" | ");
    write!(
        page,
        "\n### Length\n\nTPR at {FPR}, temperature 1, full vocabulary, by tokens of the text that are looked at.\n\n| scheme | {heads} |\n|{}\n{lengths}",
        " --- |".repeat(1 + LENGTHS.len())
    )?;
    let heads = Attack::ALL.map(Attack::name).join(" | ");
    write!(
        page,
        "\n### Attacks\n\nTPR at {FPR}, temperature 1, full vocabulary, {N_NEW} tokens, after what `ovid detect attack` does to a text; in brackets after `ovid detect`'s clean-up, where it can undo the attack.\n\n| scheme | {heads} |\n|{}\n{attacks}",
        " --- |".repeat(1 + Attack::ALL.len())
    )?;
    let (n_prompts, times) = REPEATED;
    write!(
        page,
        "\n### What it costs the text\n\nPerplexity: of the texts under the unmarked model at temperature 1. Repeated: share of word 4-grams that the same text had before. Diversity: {n_prompts} prompts continued \
         {times} times each by 100 tokens under one key: how many of the {} texts differ, and what share of a text's word 4-grams another text of the same prompt has.\n\n\
         | sampler | scheme | perplexity | repeated 4-grams | distinct texts | shared 4-grams |\n| --- | --- | --- | --- | --- | --- |\n{quality}",
        n_prompts * times
    )?;
    Ok(page)
}

fn rate(found: &Found) -> String {
    let interval = wilson(found.n_marked, found.n, 0.95);
    format!("{:.3} ({:.3} to {:.3})", found.rate(), interval.low, interval.high)
}
